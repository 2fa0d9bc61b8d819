migrate((app) => {
    app.save(new Collection({ type: "base", name: "docs", createRule: "", updateRule: "", fields: [{ name: "one", type: "file" }, { name: "many", type: "file", maxSelect: 3 }] }));
});
