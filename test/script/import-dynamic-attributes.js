// expect: value ["refused","refused","refused"]
const tries = [
  () => import("/etc/passwd", { with: { type: "json" } }),
  () => import("/etc/passwd", { with: { type: "text" } }),
  () => import("/etc/passwd", { with: { type: "bytes" } }),
];
const results = [];
for (const attempt of tries) results.push(await attempt().then(() => "imported", () => "refused"));
results;
