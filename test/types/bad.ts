// Each line with a mark must be refused for the reason it names; nothing else is.
export async function main(): Promise<void> {
  await notes.get(5); // TS2345
  await notes.get(); // TS2554
  const page = await notes.list({ first: 1 }); // TS2353
  const title: number = (await notes.get("a")).title; // TS2322
  await notes.drop("a"); // TS2339
  await notes.get("a", { timeout: "soon" }); // TS2322
  await kv.set("a"); // TS2554
  notes.get("a").title; // TS2339
  document.title; // TS2584
  await fetch(5); // TS2345
  await fetch("https://a.example/", { redirect: "no" }); // TS2322
  await fetch("https://a.example/", {}, { timeout: 5 }); // TS2554
  await fetch("https://a.example/", { priority: "high" }); // TS2322
  await fetch("https://a.example/", { mode: "cors" }); // TS2353
  new Response().body; // TS2339
  crypto.getRandomValues(new Float32Array(1)); // TS2345
  new AbortSignal(); // TS2673
  void [page, title];
}
