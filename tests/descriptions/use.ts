// The generated types in the hands of a program, with the official SDK. Compiled, never run.
import PocketBase from "pocketbase";
import type { Collections, Posts, PostsCreate, PostsUpdate, TypedPocketBase, People } from "./types.js";

const pb = new PocketBase("http://127.0.0.1:8090") as TypedPocketBase;

export async function use(): Promise<string> {
    const page = await pb.collection("posts").getList(1, 20, { expand: "author,comments_via_post" });
    const post: Posts = page.items[0]!;
    const status: "draft" | "live" | "" = post.status;
    const tags: ("a b" | "c\"d")[] = post.tags;
    const author: People | undefined = post.expand?.author;
    const first: string | undefined = post.expand?.comments_via_post?.[0]?.text;
    const views: number = post.views + post.place.lat;
    const made: PostsCreate = { title: "x", cover: new Blob([]), tags: ["a b"] };
    const changed: PostsUpdate = { "views+": 1, "tags-": "a b", status: "live" };
    await pb.collection("posts").create(made);
    await pb.collection("posts").update(post.id, changed);
    const auth = await pb.collection("people").authWithPassword("a@example.com", "1234567890");
    const email: string | undefined = auth.record.email;
    // @ts-expect-error no such status
    const wrong: PostsUpdate = { status: "nope" };
    // @ts-expect-error a title is required
    const empty: PostsCreate = {};
    const names: keyof Collections = "posts";
    return [status, tags, author?.id, first, views, email, wrong, empty, names].join();
}
