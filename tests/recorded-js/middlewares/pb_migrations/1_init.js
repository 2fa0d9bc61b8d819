/// <reference path="../pb_data/types.d.ts" />
migrate((app) => {
    app.save(new Record(app.findCollectionByNameOrId("_superusers"), { email: "root@example.com", password: "1234567890" }))
    app.save(new Record(app.findCollectionByNameOrId("users"), { id: "user00000000001", email: "u@example.com", password: "1234567890", verified: true }))
})
