// args: --allow notes.get
// expect: error api
// operation: notes.get
// The operation is the bridge's own record, not the property.
const error = await notes.get("zebra").catch((e) => e);
try { error.operation.name = "evil"; } catch {}
Object.defineProperty(error, "operation", { value: { id: 7, name: "evil", attempts: 9 } });
throw error;
