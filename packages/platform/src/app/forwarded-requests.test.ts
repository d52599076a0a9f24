import { expect, test } from 'vitest';
import type { Principal } from '../broker/authorizer.ts';
import type { ClientRequest } from '../broker/requests.ts';
import { SelsynError } from '../kernel/errors.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import type { ControlCalls, ForwardedRequest } from './control-desk.ts';
import { ForwardedRequests } from './forwarded-requests.ts';

const TOPIC = '$aws/certificates/create/json';

/** Main, which answers when the test says so. */
function open() {
  const asked: { readonly request: ForwardedRequest; readonly answer: () => void; readonly fail: () => void }[] = [];
  const call = async (_name: string, request: unknown): Promise<unknown> =>
    await new Promise((resolve, reject) =>
      asked.push({
        request: request as ForwardedRequest,
        answer: () => resolve({ topic: `${TOPIC}/accepted`, payload: Buffer.from('{}') }),
        fail: () => reject(new SelsynError('thread.timeout', 'no answer')),
      }),
    );
  const control = { call } as unknown as { call: ThreadCaller<ControlCalls>['call'] };
  return { asked, requests: new ForwardedRequests(control, silentLogLines) };
}

function requestOf(client: string, principal: Partial<Principal> = {}): ClientRequest {
  const may = { mayPublish: () => true, maySubscribe: () => true, mayReceive: () => true };
  return {
    client,
    clientId: client,
    principal: { id: 'd1', sessionNamespace: 'd1', ...may, ...principal },
    remoteAddress: '192.0.2.1',
    topic: TOPIC,
    payload: Buffer.from('{}'),
  };
}

const textOf = (payload: Uint8Array | undefined): unknown => JSON.parse(Buffer.from(payload ?? []).toString());

test('main is told who asks: a device by its id, a claim by its certificate alone', async () => {
  const { asked, requests } = open();
  void requests.answer(requestOf('c1', { id: 'd1', credentialId: 'cert-1' }));
  void requests.answer(requestOf('c2', { id: 'claim/abc', credentialId: 'cert-2' }));
  expect(asked.map(({ request }) => [request.deviceId, request.certificateId, request.remoteAddress])).toEqual([
    ['d1', 'cert-1', '192.0.2.1'],
    [undefined, 'cert-2', '192.0.2.1'],
  ]);
});

test('a client with ten requests under way is refused the next at once, and others are not', async () => {
  const { asked, requests } = open();
  const waiting = Array.from({ length: 10 }, async () => await requests.answer(requestOf('busy')));
  const [refused] = await requests.answer(requestOf('busy'));
  expect(refused?.topic).toBe(`${TOPIC}/rejected`);
  expect(textOf(refused?.payload)).toMatchObject({ statusCode: 429 });
  expect(asked).toHaveLength(10);
  const other = requests.answer(requestOf('other'));
  asked[10]?.answer();
  expect((await other)[0]?.topic).toBe(`${TOPIC}/accepted`);
  for (const { answer } of asked) answer();
  await Promise.all(waiting);
  const again = requests.answer(requestOf('busy'));
  asked[11]?.answer();
  expect((await again)[0]?.topic).toBe(`${TOPIC}/accepted`);
});

test('a thread takes so many and no more', async () => {
  const { asked, requests } = open();
  for (let i = 0; i < 2_000; i++) void requests.answer(requestOf(`c${i}`));
  expect(textOf((await requests.answer(requestOf('one more')))[0]?.payload)).toMatchObject({ statusCode: 429 });
  expect(asked).toHaveLength(2_000);
});

test('a client is told when main does not answer, and may ask again', async () => {
  const { asked, requests } = open();
  for (let i = 0; i < 12; i++) {
    const answer = requests.answer(requestOf('c'));
    asked[i]?.fail();
    expect(textOf((await answer)[0]?.payload)).toMatchObject({ statusCode: 500 });
  }
});
