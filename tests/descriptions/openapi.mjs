// Whether a file is a valid OpenAPI document: `node openapi.mjs FILE`. Started by tests/descriptions.rs.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";

const validator = new Validator();
const result = await validator.validate(JSON.parse(readFileSync(process.argv[2], "utf8")));
if (!result.valid) {
    console.error(JSON.stringify(result.errors, null, 2).slice(0, 4000));
    process.exit(1);
}
console.log(`valid: OpenAPI ${validator.version}`);
