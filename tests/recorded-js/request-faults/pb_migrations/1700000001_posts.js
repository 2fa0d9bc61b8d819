migrate((app) => {
    const posts = new Collection({ type: "base", name: "posts", listRule: "", viewRule: "", createRule: "", updateRule: "", fields: [{ name: "title", type: "text" }] });
    app.save(posts);
    for (let i = 0; i < 3; i++) {
        const post = new Record(posts);
        post.id = "post0000000000" + i;
        post.set("title", "t" + i);
        app.save(post);
    }
    const user = new Record(app.findCollectionByNameOrId("users"));
    user.set("email", "u1@example.com");
    user.set("password", "1234567890");
    app.save(user);
    const superuser = new Record(app.findCollectionByNameOrId("_superusers"));
    superuser.set("email", "root@example.com");
    superuser.set("password", "1234567890");
    app.save(superuser);
});
