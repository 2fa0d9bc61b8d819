/// <reference path="../pb_data/types.d.ts" />
migrate((app) => {
  const collection = new Collection({
    "authToken": {
      "duration": 5
    },
    "fields": [
      {
        "id": "text1",
        "max": 10,
        "name": "title",
        "type": "text"
      },
      {
        "id": "sel1",
        "name": "sel",
        "type": "select",
        "values": [
          "a",
          "b"
        ]
      },
      {
        "id": "bool1",
        "name": "flag",
        "type": "bool"
      }
    ],
    "id": "pbc_posts000001",
    "indexes": [
      "CREATE INDEX idx ON posts (title)"
    ],
    "listRule": "a != \"\" && b ~ \"<é\\\\u0041>\"",
    "name": "posts",
    "oauth2": {
      "enabled": false,
      "mappedFields": {
        "id": "",
        "name": ""
      }
    },
    "system": false,
    "type": "base",
    "viewRule": null
  });

  return app.save(collection);
}, (app) => {
  const collection = app.findCollectionByNameOrId("pbc_posts000001");

  return app.delete(collection);
})
