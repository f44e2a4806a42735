// What a model may write for: "mail the buyer what we cannot deliver".
const open = await orders.list();
const levels = await Promise.allSettled(open.map((order) => stock_of(order.item)));
const short = open.filter((order, i) => (levels[i].value ?? 0) < order.count);
console.log(`${short.length} of ${open.length} are short`);
for (const order of short)
  await mail.send({ to: "buyer@example.com", text: `${order.count} ${order.item}` });
short.map((order) => order.id);

function stock_of(item) {
  return stock.get(item, { timeout: 300 });
}
