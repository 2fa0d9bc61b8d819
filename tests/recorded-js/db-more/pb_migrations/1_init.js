/// <reference path="../pb_data/types.d.ts" />
migrate((app) => {
    const a = new Collection({ type: "base", name: "authors", fields: [{ name: "name", type: "text" }] })
    app.save(a)
    const b = new Collection({ type: "base", name: "books", listRule: "", fields: [{ name: "title", type: "text" }, { name: "price", type: "number" }, { name: "pub", type: "bool" }, { name: "tags", type: "json" }, { name: "released", type: "date" }, { name: "author", type: "relation", collectionId: a.id, maxSelect: 1 }], indexes: ["CREATE INDEX idx_books_title ON books (title)"] })
    app.save(b)
    app.save(new Record(a, { id: "auth00000000001", name: "Ann" })); app.save(new Record(a, { id: "auth00000000002", name: "Bob" }))
    for (let i = 1; i <= 5; i++) app.save(new Record(b, { id: "book0000000000" + i, title: "Book " + i, price: i * 1.5, pub: i % 2 == 1, tags: ["t" + i, i], released: "2024-0" + i + "-01 00:00:00.000Z", author: "auth0000000000" + (i % 2 + 1) }))
    app.save(new Record(app.findCollectionByNameOrId("users"), { id: "user00000000001", email: "u@example.com", password: "1234567890", verified: true }))
})
