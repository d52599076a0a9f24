import { expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import type { TraceEventJson } from './trace-source.ts';

const EVENT: TraceEventJson = { atMs: 1, thread: 'gateway-0', direction: 'in', clientId: 'd1', packet: 'pingreq', sizeBytes: 2 };

interface Reading {
  readonly response: Response;
  /** Reads on until what was read contains this. */
  until(text: string): Promise<string>;
  cancel(): Promise<void>;
}

async function listen(api: TestApi): Promise<(query: string) => Promise<Reading>> {
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  return async (query) => {
    const response = await fetch(`${api.app.listeningOrigin}/api/v1/trace?${query}`, { headers: asAdmin });
    if (response.body === null) throw new Error('no body');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    return {
      response,
      until: async (wanted) => {
        while (!text.includes(wanted)) {
          const { done, value } = await reader.read();
          if (done) break;
          text += value;
        }
        return text;
      },
      cancel: async () => await reader.cancel(),
    };
  };
}

test('a trace is a stream of packets, and of what was dropped', async () => {
  await using api = await openTestApi();
  const trace = await (await listen(api))('client=d1&topic=a/%23&payload=true');
  expect(trace.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(trace.response.headers.get('cache-control')).toBe('no-store');
  const request = { clientId: 'd1', topicFilter: 'a/#', payload: true };
  expect(await trace.until('tracing')).toBe(`retry: 2000\n\nevent: tracing\ndata: ${JSON.stringify(request)}\n\n`);
  expect([...api.traces.running].map((each) => each.request)).toEqual([request]);
  api.traces.emit({ events: [EVENT], dropped: 3 });
  const text = await trace.until('pingreq');
  expect(text).toContain(`event: dropped\ndata: {"dropped":3}\n\nevent: packet\ndata: ${JSON.stringify(EVENT)}\n\n`);
  await trace.cancel();
  await expect.poll(() => api.traces.running.size).toBe(0);
});

test('a fifth trace is refused, until another ends', async () => {
  await using api = await openTestApi();
  const open = await listen(api);
  const traces = await Promise.all([1, 2, 3, 4].map(async (n) => await open(`client=d${n}`)));
  expect((await open('client=d5')).response.status).toBe(429);
  await traces[0]?.cancel();
  await expect.poll(() => api.traces.running.size).toBe(3);
  const fifth = await open('client=d5');
  expect(fifth.response.status).toBe(200);
  for (const trace of [...traces.slice(1), fifth]) await trace.cancel();
});

test('a trace lives while it is read, and an hour at most', async () => {
  await using api = await openTestApi();
  const trace = await (await listen(api))('client=d1');
  await trace.until('tracing');
  api.clock.advance(15_000);
  expect(await trace.until(': \n\n')).not.toContain('bye');
  api.clock.advance(3_600_000);
  expect(await trace.until('bye')).toContain('event: bye\n');
  expect(api.traces.running.size).toBe(0);
});

test('closing says goodbye', async () => {
  const api = await openTestApi();
  const trace = await (await listen(api))('client=d1');
  await trace.until('tracing');
  const rest = trace.until('bye');
  await api[Symbol.asyncDispose]();
  expect(await rest).toContain('event: bye\n');
  expect(api.traces.running.size).toBe(0);
});

test.each(['', 'payload=true', 'client=', 'client=a&payload=1', 'device=a'])(
  'a trace with "%s" is refused before it begins',
  async (query) => {
    await using api = await openTestApi();
    const answer = await api.app.inject({ url: `/api/v1/trace?${query}`, headers: asAdmin });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'request.invalid' });
    expect(api.traces.running.size).toBe(0);
  },
);

test('what the source refuses is a problem document, not a stream', async () => {
  const traces = {
    open: (): never => {
      throw new SelsynError('request.invalid', '"a/#/b" is no topic filter');
    },
  };
  await using api = await openTestApi({ traces });
  const answer = await api.app.inject({ url: '/api/v1/trace?topic=a/%23/b', headers: asAdmin });
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({ detail: '"a/#/b" is no topic filter' });
});
