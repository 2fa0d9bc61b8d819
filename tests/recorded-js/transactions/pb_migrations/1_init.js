/// <reference path="../pb_data/types.d.ts" />
migrate((app) => {
    app.save(new Collection({ type: "base", name: "items", listRule: "", viewRule: "", createRule: "", updateRule: "", deleteRule: "", fields: [{ name: "name", type: "text" }, { name: "n", type: "number", min: 0 }], indexes: ["CREATE UNIQUE INDEX idx_items_name ON items (name)"] }))
    app.save(new Collection({ type: "base", name: "audit", fields: [{ name: "text", type: "text" }] }))
    app.save(new Record(app.findCollectionByNameOrId("items"), { id: "item00000000001", name: "a", n: 1 }))
})
