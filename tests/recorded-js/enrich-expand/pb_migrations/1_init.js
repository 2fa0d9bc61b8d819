/// <reference path="../pb_data/types.d.ts" />
migrate((app) => {
    app.save(new Record(app.findCollectionByNameOrId("_superusers"), { email: "root@example.com", password: "1234567890" }))
    const users = app.findCollectionByNameOrId("users")
    users.listRule = ""; users.viewRule = ""
    app.save(users)
    app.save(new Record(users, { id: "user00000000001", email: "u1@example.com", password: "1234567890", verified: true, name: "one" }))
    app.save(new Record(users, { id: "user00000000002", email: "u2@example.com", password: "1234567890", verified: true, name: "two", emailVisibility: true }))
    const tags = new Collection({ type: "base", name: "tags", listRule: "", viewRule: "", fields: [{ name: "label", type: "text" }, { name: "secret", type: "text", hidden: true }] })
    app.save(tags)
    const posts = new Collection({
        type: "base", name: "posts", listRule: "", viewRule: "", createRule: "", updateRule: "@request.auth.id != '' && author = @request.auth.id",
        fields: [
            { name: "title", type: "text" }, { name: "secret", type: "text", hidden: true }, { name: "n", type: "number" },
            { name: "author", type: "relation", collectionId: users.id, maxSelect: 1 },
            { name: "tags", type: "relation", collectionId: tags.id, maxSelect: 5 },
        ],
    })
    app.save(posts)
    const comments = new Collection({ type: "base", name: "comments", listRule: "@request.auth.id != ''", viewRule: "@request.auth.id != ''", fields: [{ name: "text", type: "text" }, { name: "post", type: "relation", collectionId: posts.id, maxSelect: 1 }] })
    app.save(comments)
    app.save(new Record(tags, { id: "tag000000000001", label: "t1", secret: "s1" }))
    app.save(new Record(tags, { id: "tag000000000002", label: "t2", secret: "s2" }))
    app.save(new Record(posts, { id: "post00000000001", title: "p1", secret: "x1", n: 1, author: "user00000000001", tags: ["tag000000000001", "tag000000000002"] }))
    app.save(new Record(posts, { id: "post00000000002", title: "p2", secret: "x2", n: 2, author: "user00000000002", tags: [] }))
    app.save(new Record(comments, { id: "comm00000000001", text: "c1", post: "post00000000001" }))
    app.save(new Record(comments, { id: "comm00000000002", text: "c2", post: "post00000000001" }))
})
