// expect: varies
const ids = Array.from({ length: 100 }, () => crypto.randomUUID());
const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
if (new Set(ids).size !== 100 || !ids.every((id) => form.test(id))) throw new Error(ids[0]);
ids[0];
