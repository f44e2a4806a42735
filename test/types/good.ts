// What a script may do with the whole API; `vow types --allow '*'` must accept it.
interface Seen {
  count: number;
}

async function everything(tags: string[]): Promise<string> {
  const note: Note = await notes.create({ title: "Tea", tags }, { timeout: 100 });
  const page = await notes.list({ limit: 5, after: null, timeout: 50 });
  const next: string | null = page.next;
  await notes.update(note.id, { tags: ["a"] });
  const found: Note[] = await notes.search("tea", { limit: 3 });
  const seen: Seen = (await kv.get("seen")) ?? { count: 0 };
  await kv.set("seen", { count: seen.count + 1 } satisfies Seen);
  const { keys } = await kv.list({ prefix: "s", limit: 10, signal: AbortSignal.timeout(50) });
  const gone: boolean = await kv.delete("seen");
  const there: boolean = await notes.delete(note.id, { timeout: 10, signal: new AbortController().signal });
  return [next, found.length, keys.join(), gone, there].join(" ");
}

async function errors(): Promise<string> {
  try {
    await notes.get("nowhere");
  } catch (error) {
    if (error instanceof NotFoundError && error instanceof ApiError)
      return `${error.code} ${error.transient} ${error.operation?.attempts}`;
    if (error instanceof TimeoutError || error instanceof AbortError) return error.message;
    if (error instanceof ConflictError || error instanceof PermissionError) return error.name;
    if (error instanceof DOMException) return error.name;
  }
  return "";
}

function web(): string {
  const url = new URL("/a?b=c", "https://example.org");
  url.searchParams.append("d", "e");
  for (const [name, value] of url.searchParams) console.log("%s=%s", name, value);
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const id: string = crypto.randomUUID();
  const text = new TextDecoder("utf-8", { fatal: true }).decode(new TextEncoder().encode(id));
  const timer: number = setTimeout((a: number, b: string) => console.info(a, b), 5, 1, "x");
  clearTimeout(timer);
  queueMicrotask(() => console.table([{ a: 1 }]));
  const copy: Map<string, number> = structuredClone(new Map([["a", 1]]));
  const now: number = performance.now() + performance.timeOrigin;
  const target = new EventTarget();
  target.addEventListener("x", (event) => console.debug(event.type), { once: true });
  target.dispatchEvent(new Event("x"));
  return [btoa(text), atob("aGk="), copy.size, now, bytes.length, context.anything].join();
}

async function network(): Promise<string> {
  const headers = new Headers([["a", "b"]]);
  const form = new URLSearchParams({ q: "tea" });
  const request = new Request(new URL("https://api.example.com/"), { method: "POST", headers, body: form });
  const response: Response = await fetch(request, { timeout: 100, priority: "low", signal: null, redirect: "manual" });
  for (const [name, value] of response.headers) console.log(name, value);
  const bytes: Uint8Array = await response.clone().bytes();
  const made = Response.json({ a: 1 }, { status: 201, headers: { x: "y" } });
  await fetch("https://api.example.com/", { body: bytes, method: "PUT" });
  return [request.url, made.status, await made.text(), Response.redirect("https://a.example/", 303).type].join();
}

export async function main(): Promise<string[]> {
  await sleep(1, { signal: AbortSignal.any([AbortSignal.timeout(5)]) });
  return [await everything(["kitchen"]), await errors(), web(), await network()];
}
