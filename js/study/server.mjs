// All requests of the page to its server. Every request carries the page's token.

const TOKEN = document.querySelector("meta[name=study-token]").content;
const PAUSE = 1500; // milliseconds between two attempts while the server does not answer

/** The server refused the request; repeating it would not help. */
export class Refused extends Error {}

/** The server refused the page's token; a reloaded page may repeat the request. */
export class Stale extends Refused {}

/** The server cannot handle the request at the moment. */
export class Unable extends Error {}

async function once(path, body) {
  const post = body && { method: "POST", body: JSON.stringify(body) };
  const headers = { "X-Study-Token": TOKEN, ...(body && { "Content-Type": "application/json" }) };
  const reply = await fetch(path, { ...post, headers, cache: "no-store" });
  if (reply.status >= 500) throw new Unable((await reply.json()).error);
  if (reply.status === 403) throw new Stale("This page is out of date. Reload it.");
  if (!reply.ok) throw new Refused((await reply.json()).error ?? reply.statusText);
  return reply.headers.get("Content-Type").startsWith("text/csv") ? reply.text() : reply.json();
}

/** Repeats a request until the server answers. Calls away(error) after each failure, and
 *  away(null) after the answer. */
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
