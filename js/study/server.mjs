// The page's only way to its server. Every request carries the page's token.

const TOKEN = document.querySelector("meta[name=study-token]").content;
const PAUSE = 1500; // milliseconds between two tries while the server is away

/** The server's refusal, for good: asking again would change nothing. */
export class Refused extends Error {}

/** A refusal of the page rather than of what it asked for: a fresh page may ask again. */
export class Stale extends Refused {}

/** The server answers that it cannot do so now. */
export class Unable extends Error {}

async function once(path, body) {
  const post = body && { method: "POST", body: JSON.stringify(body) };
  const headers = { "X-Study-Token": TOKEN, ...(body && { "Content-Type": "application/json" }) };
  const reply = await fetch(path, { ...post, headers, cache: "no-store" });
  if (reply.status >= 500) throw new Unable((await reply.json()).error);
  if (reply.status === 403) throw new Stale("This page is out of date: reload it.");
  if (!reply.ok) throw new Refused((await reply.json()).error ?? reply.statusText);
  return reply.headers.get("Content-Type").startsWith("text/csv") ? reply.text() : reply.json();
}

/** Asks until the server answers; `away(error)` while it does not, `away(null)` when it does. */
export async function ask(path, body, away = () => {}) {
  for (;;) {
    try {
      const answer = await once(path, body);
      away(null);
      return answer;
    } catch (error) {
      if (error instanceof Refused) { away(null); throw error; }
      away(error);
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }
}
