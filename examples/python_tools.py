"""Code that a model wrote gets three tools, and nothing else.

    pip install ./bindings/python
    VOW=build/release/vow python3 examples/python_tools.py
"""
import asyncio
from typing import Literal, Optional, TypedDict

import vow


class Order(TypedDict):
    id: str
    customer: str
    cents: int


ORDERS: list[Order] = [
    {"id": "o-1", "customer": "ada", "cents": 1250},
    {"id": "o-2", "customer": "bob", "cents": 800},
    {"id": "o-3", "customer": "ada", "cents": 4300},
]


async def find_orders(customer: Optional[str] = None) -> list[Order]:
    """The orders of a customer, or all of them."""
    await asyncio.sleep(0.01)  # a database, say
    return [order for order in ORDERS if customer in (None, order["customer"])]


def exchange_rate(currency: Literal["EUR", "GBP"]) -> float:
    """What one dollar is in another currency."""
    return {"EUR": 0.5, "GBP": 0.25}[currency]


async def send_mail(to: str, subject: str, body: str) -> None:
    """Sends a mail to a customer."""
    if to not in {order["customer"] for order in ORDERS}:
        raise vow.ToolError(f"there is no customer {to}", name="NotFoundError")
    print(f"mail to {to}: {subject}: {body}")


# As a model might write it, given the types that the program prints first.
WRITTEN_BY_A_MODEL = """
const [orders, rate] = await Promise.all([find_orders("ada"), exchange_rate("EUR")]);
const euros = orders.reduce((sum, order) => sum + order.cents, 0) / 100 * rate;
await send_mail("ada", "Your orders", `${orders.length} orders, ${euros.toFixed(2)} EUR`);
const failed = await send_mail("eve", "Hello", "...").catch((error) => error.name);
({ orders: orders.map((order) => order.id), euros, failed });
"""


async def main() -> None:
    async with vow.Host() as host:
        for tool in find_orders, exchange_rate, send_mail:
            host.tool(tool)
        print(await host.types())
        result = await host.eval(WRITTEN_BY_A_MODEL, cpu_ms=200, wall_ms=5000, max_ops=20)
        print(result.value)
        print("calls:", result.report["operations"]["created"])
        try:
            await host.eval("for (;;);", cpu_ms=50)
        except vow.LimitError as error:
            print("stopped:", error.kind)


if __name__ == "__main__":
    asyncio.run(main())
