// A mail server that keeps what it gets.
import { createServer } from 'node:net';
import { until } from './rig.mjs';

export function smtp() {
  const mails = [];
  const server = createServer((s) => {
    let data = false, buffer = '', mail = '';
    s.write('220 fake\r\n');
    s.on('data', (chunk) => {
      buffer += chunk;
      for (let i = buffer.indexOf('\r\n'); i >= 0; i = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, i);
        buffer = buffer.slice(i + 2);
        if (data) {
          if (line === '.') { data = false; mails.push(decode(mail)); mail = ''; s.write('250 ok\r\n'); } else mail += `${line}\n`;
        } else if (/^EHLO/i.test(line)) s.write('250-fake\r\n250 8BITMIME\r\n');
        else if (/^DATA/i.test(line)) { data = true; s.write('354 go\r\n'); } else if (/^QUIT/i.test(line)) { s.write('221 bye\r\n'); s.end(); } else s.write('250 ok\r\n');
      }
    });
    s.on('error', () => undefined);
  });
  return new Promise((go) => server.listen(0, '127.0.0.1', () => go({ port: server.address().port, mails, close: () => server.close(), next: (n) => until(() => mails[n], `mail ${n}`) })));
}
function decode(raw) {
  const text = raw.replace(/=\n/g, '').replace(/(?:=[0-9A-F]{2})+/g, (m) => Buffer.from(m.replace(/=/g, ''), 'hex').toString());
  const b64 = /base64\n[\s\S]*?\n\n([A-Za-z0-9+/=\n]+)/.exec(raw);
  return text + (b64 ? Buffer.from(b64[1].replace(/\n/g, ''), 'base64').toString() : '');
}
