migrate((app) => {
    app.save(new Collection({ type: "base", name: "posts", createRule: "", updateRule: "", fields: [
        { name: "title", type: "text" }, { name: "code", type: "text", autogeneratePattern: "[a-z]{4}-[0-9]{2}" }, { name: "slug", type: "text", required: true },
        { name: "created", type: "autodate", onCreate: true }, { name: "updated", type: "autodate", onCreate: true, onUpdate: true } ] }));
});
