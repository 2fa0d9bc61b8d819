routerAdd("GET", "/of/{what}/{k}", (e) => {
  const fz = require(`${__hooks}/members.js`);
  const post = () => $app.findRecordById("posts", "post00000000001");
  const user = () => $app.findRecordById("users", "user00000000001");
  const col = () => $app.findCollectionByNameOrId("posts");
  const T = {
    record: [post],
    collection: [col],
    newrecord: [() => new Record(col())],
    authcollection: [() => $app.findCollectionByNameOrId("users")],
    security: [() => $security],
    filepath: [() => $filepath],
    store: [() => $app.store()],
    datetime: [() => new DateTime("2024-01-02 03:04:05.678Z")],
    cookie: [() => new Cookie({ name: "a", value: "b" })],
    apierror: [() => new ApiError(418, "tea", { a: 1 })],
    valerr: [() => new ValidationError("c", "m")],
    url: [() => e.request.url],
    select: [() => $app.db().select("id", "title").from("posts")],
    query: [() => $app.db().newQuery("SELECT id FROM posts WHERE n > {:n}").bind({ n: 1 })],
    ftext: [() => new TextField({ name: "a", min: 1, max: 5, pattern: "^a" })],
    fdate: [() => new DateField({ name: "a" })],
    field: [() => new Field({ name: "a", type: "text" })],
  };
  const what = e.request.pathValue("what");
  const k = e.request.pathValue("k");
  return e.json(200, fz.one(what, T[what][0], k, -1));
});
