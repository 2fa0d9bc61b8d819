onRecordCreateRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRecordUpdateRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRecordDeleteRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRecordViewRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRecordsListRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onCollectionsImportRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onCollectionCreateRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRecordAuthRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRecordAuthWithPasswordRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onSettingsUpdateRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onBatchRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onFileTokenRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });


onRecordAuthRefreshRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRecordRequestPasswordResetRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onRealtimeConnectRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onCollectionsListRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
onFileDownloadRequest((e) => { const k = e.requestInfo().headers["x_kind"];
  if (k == "row") $app.findRecordById("posts", "nope");
  if (k == "save") { const p = new Record($app.findCollectionByNameOrId("users")); $app.save(p); }
  if (k == "err") throw new Error("plain");
  if (k == "bad") throw new BadRequestError("bad", { a: new ValidationError("c", "m") });
  if (k == "file") $os.readFile("/nope/x");
  if (k == "val") throw new ValidationError("c", "m");
  if (k == "sql") $app.db().newQuery("select * from nope").execute();
  if (k == "str") throw "text";
  if (k == "afternext") { e.next(); throw new Error("after"); }
  if (k == "ref") undefined.x;
  e.next(); });
