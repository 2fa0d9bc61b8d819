/// <reference path="../pb_data/types.d.ts" />
migrate((app) => {
  const collection = app.findCollectionByNameOrId("pbc_posts000001")

  // update collection data
  unmarshal({
    "indexes": [],
    "listRule": null,
    "oauth2": {
      "enabled": true,
      "mappedFields": {
        "name": "title"
      }
    },
    "viewQuery": "select 1",
    "viewRule": ""
  }, collection)

  // remove field
  collection.fields.removeById("sel1")

  // add field
  collection.fields.addAt(0, new Field({
    "id": "num1",
    "min": null,
    "name": "n",
    "type": "number"
  }))

  // update field
  collection.fields.addAt(1, new Field({
    "id": "text1",
    "max": 20,
    "name": "title",
    "type": "text"
  }))

  return app.save(collection)
}, (app) => {
  const collection = app.findCollectionByNameOrId("pbc_posts000001")

  // update collection data
  unmarshal({
    "indexes": [
      "CREATE INDEX idx ON posts (title)"
    ],
    "listRule": "a != \"\" && b ~ \"<é\\\\u0041>\"",
    "oauth2": {
      "enabled": false,
      "mappedFields": {
        "name": ""
      }
    },
    "viewQuery": null,
    "viewRule": null
  }, collection)

  // add field
  collection.fields.addAt(1, new Field({
    "id": "sel1",
    "name": "sel",
    "type": "select",
    "values": [
      "a",
      "b"
    ]
  }))

  // remove field
  collection.fields.removeById("num1")

  // update field
  collection.fields.addAt(0, new Field({
    "id": "text1",
    "max": 10,
    "name": "title",
    "type": "text"
  }))

  return app.save(collection)
})
