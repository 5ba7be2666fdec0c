// The model behind the agents: as much of OpenAI's protocol as OpenClaw asks for, on a free port of
// the loopback interface, which is printed on a line of its own.
//
// It has no mind. It answers with the facts (`fact-…`) that it was sent: those of the system prompt, where OpenClaw
// puts what stands in the workspace, and those of the conversation. So an answer shows whether an
// agent has its workspace and its session, which a turn that merely succeeds does not.
import http from 'node:http';

const facts = (messages) => [...new Set(JSON.stringify(messages).match(/fact-[a-z-]+/g))].sort().join(' ');

function answer(messages) {
    const isPrompt = ({ role }) => role === 'system' || role === 'developer';
    const noted = facts(messages.filter(isPrompt));
    const told = facts(messages.filter(({ role }) => role === 'user'));
    return `I read [${noted}] and was told [${told}].`;
}

function complete({ messages, model, stream }, response) {
    const content = answer(messages);
    const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 };
    const common = { id: 'completion', created: Math.floor(Date.now() / 1000), model };
    if (!stream) {
        const message = { role: 'assistant', content };
        const choices = [{ index: 0, message, finish_reason: 'stop' }];
        return reply(response, 200, { ...common, object: 'chat.completion', choices, usage });
    }
    const chunk = (delta, finish_reason, more) => {
        const choices = [{ index: 0, delta, finish_reason }];
        const data = { ...common, object: 'chat.completion.chunk', choices, ...more };
        response.write(`data: ${JSON.stringify(data)}\n\n`);
    };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    chunk({ role: 'assistant', content }, null);
    chunk({}, 'stop', { usage });
    response.end('data: [DONE]\n\n');
}

function reply(response, status, document) {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document));
}

const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    if (request.method === 'POST' && request.url === '/v1/chat/completions') {
        complete(JSON.parse(body), response);
    } else if (request.url === '/v1/models') {
        reply(response, 200, { object: 'list', data: [{ id: 'mindless', object: 'model' }] });
    } else {
        reply(response, 404, { error: { message: `nothing at ${request.url}` } });
    }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
