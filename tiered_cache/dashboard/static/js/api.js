// Requests to the server. URLs are relative to the page, so that it works under any path.

export class Refused extends Error {}

async function answer(response) {
  if (response.status === 401) location.reload(); // the server redirects to the login form
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(said.error ?? `the server answered with status ${response.status}`);
  return said;
}

const patient = () => AbortSignal.timeout(15000);

export const get = async (path) => answer(await fetch("api/" + path, { signal: patient() }));

export const post = async (path, body) =>
  answer(await fetch("api/" + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: patient(),
  }));
