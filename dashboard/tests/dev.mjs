// A seeded server that stays: `PB_BIN=… node tests/dev.mjs 18091` (the shots and a person look at it through tests/serve.mjs).
import { seed } from './seed.mjs';
import { startServer, email, password } from './rig.mjs';
const s = await startServer();
await seed(s.url, email, password, 'full');
console.log(s.url);
process.on('SIGTERM', async () => { await s.stop(); process.exit(0); });
setInterval(() => undefined, 1 << 30);
