/// <reference path="../pb_data/types.d.ts" />
migrate((app) => {
    const c = new Collection({ type: "base", name: "all", listRule: "", viewRule: null, createRule: "", updateRule: "@request.auth.id != ''", deleteRule: null, fields: [
        { name: "t", type: "text", min: 0, max: 100, autogeneratePattern: "[a-z]{5}" }, { name: "num", type: "number" }, { name: "b", type: "bool" }, { name: "e", type: "email" }, { name: "u", type: "url" }, { name: "ed", type: "editor" }, { name: "d", type: "date" },
        { name: "sel", type: "select", values: ["a", "b", "c"], maxSelect: 1 }, { name: "msel", type: "select", values: ["a", "b", "c"], maxSelect: 3 }, { name: "j", type: "json" }, { name: "g", type: "geoPoint" }, { name: "f", type: "file", maxSelect: 1 }, { name: "mf", type: "file", maxSelect: 5 }, { name: "p", type: "password" },
        { name: "created", type: "autodate", onCreate: true }, { name: "updated", type: "autodate", onCreate: true, onUpdate: true },
    ] })
    app.save(c)
    c.fields.add(new RelationField({ name: "rel", collectionId: c.id, maxSelect: 1 })); c.fields.add(new RelationField({ name: "mrel", collectionId: c.id, maxSelect: 5 }))
    app.save(c)
    app.save(new Record(c, { id: "rec000000000001", t: "one", num: 1.5, b: true, e: "a@b.co", u: "https://x.co", ed: "<p>", d: "2024-01-02 03:04:05.678Z", sel: "a", msel: ["a", "b"], j: { x: [1, "2"] }, g: { lon: 1.5, lat: -2 }, p: "secret123" }))
    app.save(new Record(c, { id: "rec000000000002", t: "two", rel: "rec000000000001", mrel: ["rec000000000001"] }))
})
