// The page's only way to its server. Every request carries the page's token.

const TOKEN = document.querySelector("meta[name=study-token]").content;
const PAUSE = 1500; // milliseconds between two tries while the server is away

/** The server's refusal, for good: asking again would change nothing. */
export class Refused extends Error {}

async function once(path, body) {
  const post = body && { method: "POST", body: JSON.stringify(body) };
  const headers = { "X-Study-Token": TOKEN, ...(body && { "Content-Type": "application/json" }) };
  const reply = await fetch(path, { ...post, headers, cache: "no-store" });
  if (reply.status >= 500) throw new Error((await reply.json()).error);
  if (reply.status === 403) throw new Refused("This page is out of date: reload it.");
  if (!reply.ok) throw new Refused((await reply.json()).error ?? reply.statusText);
  return reply.headers.get("Content-Type").startsWith("text/csv") ? reply.text() : reply.json();
}

/** Asks until the server answers; `away(true)` while it does not. */
export async function ask(path, body, away = () => {}) {
  for (;;) {
    try {
      const answer = await once(path, body);
      away(false);
      return answer;
    } catch (error) {
      if (error instanceof Refused) { away(false); throw error; }
      away(true);
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }
}
