migrate((app) => {
  const c = new Collection({ type: "base", name: "posts", listRule: "", viewRule: "", createRule: "", updateRule: "", deleteRule: null, fields: [
    { name: "title", type: "text" }, { name: "n", type: "number" }, { name: "on", type: "bool" }, { name: "mail", type: "email" }, { name: "site", type: "url" },
    { name: "ed", type: "editor" }, { name: "when", type: "date" }, { name: "sel", type: "select", values: ["a", "b", "c"], maxSelect: 3 }, { name: "js", type: "json" },
    { name: "f", type: "file", maxSelect: 2 }, { name: "geo", type: "geoPoint" }, { name: "created", type: "autodate", onCreate: true }, { name: "hid", type: "text", hidden: true } ],
    indexes: ["CREATE INDEX `idx_t` ON `posts` (`title`)"] });
  app.save(c);
  c.fields.add(new RelationField({ name: "rel", collectionId: c.id, maxSelect: 5 })); app.save(c);
  const u = app.findCollectionByNameOrId("users");
  for (let i = 0; i < 3; i++) { const r = new Record(u); r.id = "user0000000000" + i; r.set("email", "u" + i + "@b.co"); r.set("password", "1234567890"); r.set("verified", i == 1); app.save(r); }
  for (let i = 0; i < 5; i++) { const r = new Record(c); r.id = "post0000000000" + i; r.load({ title: "t" + i, n: i * 1.5, on: i % 2 == 0, mail: "m" + i + "@x.co", site: "https://x.co/" + i, ed: "<p>" + i + "</p>",
     when: "2024-01-0" + (i + 1) + " 02:03:04.567Z", sel: ["a", "b"].slice(0, i), js: { a: i, b: [1, "2", null] }, geo: { lon: i, lat: -i }, rel: i ? ["post00000000000"] : [], hid: "h" + i }); app.save(r); }
  const su = new Record(app.findCollectionByNameOrId("_superusers")); su.id = "super0000000000"; su.set("email", "a@b.co"); su.set("password", "1234567890"); app.save(su);
}, (app) => {});
