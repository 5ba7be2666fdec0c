// Keeps a diary with an agent: one turn after the other through the gateway's HTTP interface, until
// it is stopped. Prints the number of each entry that was answered.
//
//     writer.mjs PORT TOKEN AGENT
const [port, token, agent] = process.argv.slice(2);
const url = `http://127.0.0.1:${port}/v1/chat/completions`;
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };

process.on('SIGTERM', () => process.exit(0));
for (let number = 1; ; number += 1) {
    const messages = [{ role: 'user', content: `entry-${number}.` }];
    const body = JSON.stringify({ model: `openclaw/${agent}`, user: 'diary', messages });
    const response = await fetch(url, { method: 'POST', headers, body });
    const text = await response.text();
    if (!response.ok) throw new Error(`entry ${number}: ${response.status} ${text}`);
    console.log(number);
}
