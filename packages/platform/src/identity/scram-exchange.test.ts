import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessStep } from './access-decision.ts';
import { ScramClient } from './scram-client.fixture.ts';
import { deriveScramCredential, inventScramCredential } from './scram-credential.ts';
import { ScramExchange, type ScramAccount } from './scram-exchange.ts';

// The example of RFC 7677, section 3.
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
const CLIENT_FIRST = 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO';
const SERVER_FIRST = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
const CLIENT_FINAL = 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
const SERVER_FINAL = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

const user: ScramAccount = {
  credential: await deriveScramCredential('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4_096),
  device: 'user',
};
const nobody: ScramAccount = { credential: inventScramCredential(Buffer.alloc(32, 7), 'nobody'), device: undefined };

const admit = async (id: string) => ({ ...NOBODY_MAY, id, sessionNamespace: id });
const NOBODY_MAY = { mayPublish: () => false, maySubscribe: () => false, mayReceive: () => false };

function begin(accountOf = (name: string) => (name === 'user' ? user : nobody)): ScramExchange {
  return new ScramExchange({ accountOf: async (name) => accountOf(name), admit, serverNonce: SERVER_NONCE });
}

async function say(exchange: ScramExchange, message: string | Uint8Array | undefined): Promise<AccessStep> {
  return await exchange.step(typeof message === 'string' ? Buffer.from(message) : message);
}

async function challengeOf(exchange: ScramExchange, message: string | Uint8Array): Promise<Uint8Array> {
  const step = await say(exchange, message);
  if (!('challenge' in step)) throw new Error(`no challenge: ${JSON.stringify(step)}`);
  return step.challenge;
}

test('answers the example of RFC 7677 with the very same bytes', async () => {
  const exchange = begin();
  expect(Buffer.from(await challengeOf(exchange, CLIENT_FIRST)).toString()).toBe(SERVER_FIRST);
  const end = await say(exchange, CLIENT_FINAL);
  expect(end).toMatchObject({ granted: { id: 'user' } });
  expect('data' in end && Buffer.from(end.data ?? []).toString()).toBe(SERVER_FINAL);
});

test('a client of its own making gets in, and knows the server by its answer', async () => {
  const exchange = begin();
  const client = new ScramClient('user', 'pencil');
  const end = await say(exchange, client.final(await challengeOf(exchange, client.first())));
  expect('granted' in end && client.accepts(end.data)).toBe(true);
});

test('a client that could bind to the channel but thinks that the server cannot gets in', async () => {
  const exchange = begin();
  const challenge = await challengeOf(exchange, 'y,,n=user,r=rOprNGfwEbeRWgbNEkqO');
  expect(Buffer.from(challenge).toString()).toBe(SERVER_FIRST);
  // `c=biws` says `n,,`: someone between the two has changed the first message.
  expect(await say(exchange, CLIENT_FINAL)).toMatchObject({ refused: 'bad-credentials', reason: /channel binding/ });
});

test('another password, a name that nobody has and a name with commas are refused at the end, all with the same words', async () => {
  const reasons: string[] = [];
  for (const [name, password] of [
    ['user', 'pencils'],
    ['nobody', 'pencil'],
    ['a,b=c', 'pencil'],
    ['ü', 'pencil'],
  ] as const) {
    const exchange = begin();
    const client = new ScramClient(name, password);
    const end = await say(exchange, client.final(await challengeOf(exchange, client.first())));
    expect(end).toMatchObject({ refused: 'bad-credentials' });
    reasons.push('reason' in end ? end.reason : '');
  }
  expect(new Set(reasons).size).toBe(1);
});

test.each([
  ['another nonce', (text: string) => `${text}x`],
  ['the nonce of another server', (text: string) => text.replace('%hvYD', '%hvYE')],
  ['another GS2 header', (text: string) => text.replace('c=biws', 'c=eSws')],
])('knowing the password does not help who signs %s', async (_, change) => {
  const exchange = begin();
  const client = new ScramClient('user', 'pencil');
  const end = await say(exchange, client.final(await challengeOf(exchange, client.first()), change));
  expect(end).toMatchObject({ refused: 'bad-credentials' });
});

test('what a client signs besides may be there', async () => {
  const exchange = begin();
  const client = new ScramClient('user', 'pencil');
  const end = await say(
    exchange,
    client.final(await challengeOf(exchange, client.first()), (text) => `${text},x=more`),
  );
  expect('granted' in end && client.accepts(end.data)).toBe(true);
});

test('the name is read with its escapes', async () => {
  const asked: string[] = [];
  await challengeOf(
    begin((name) => {
      asked.push(name);
      return nobody;
    }),
    new ScramClient('a,b=c', '').first(),
  );
  expect(asked).toEqual(['a,b=c']);
});

test('a credential that was taken back or replaced during the exchange counts no more', async () => {
  const replaced = { ...user, credential: await deriveScramCredential('pencil', Buffer.alloc(16, 1), 4_096) };
  for (const later of [replaced, { ...user, device: undefined }, nobody]) {
    let calls = 0;
    const exchange = begin(() => (calls++ === 0 ? user : later));
    await challengeOf(exchange, CLIENT_FIRST);
    expect(await say(exchange, CLIENT_FINAL)).toMatchObject({ refused: 'bad-credentials' });
  }
});

test('an account that cannot be read is a refusal that may be retried', async () => {
  const exchange = begin(() => {
    throw new Error('disk');
  });
  expect(await say(exchange, CLIENT_FIRST)).toMatchObject({ refused: 'server-busy' });
});

test('an exchange serves once: nothing after its end, and no second step beside one that is under way', async () => {
  const exchange = begin();
  await challengeOf(exchange, CLIENT_FIRST);
  expect(await say(exchange, CLIENT_FINAL)).toHaveProperty('granted');
  for (const again of [CLIENT_FINAL, CLIENT_FIRST])
    expect(await say(exchange, again)).toMatchObject({ refused: 'bad-credentials' });

  const hurried = begin();
  const both = await Promise.all([say(hurried, CLIENT_FIRST), say(hurried, CLIENT_FIRST)]);
  expect(both).toMatchObject([{ challenge: expect.anything() }, { refused: 'bad-credentials' }]);

  const failed = begin();
  expect(await say(failed, 'n,,')).toHaveProperty('refused');
  expect(await say(failed, CLIENT_FIRST)).toHaveProperty('refused');
});

describe('a first message is refused', () => {
  test.each([
    [undefined],
    [''],
    ['p=tls-unique,,n=user,r=abc'],
    ['p=tls-exporter,,n=user,r=abc'],
    ['x,,n=user,r=abc'],
    ['N,,n=user,r=abc'],
    ['n,a=user,n=user,r=abc'],
    ['n,a=,n=user,r=abc'],
    ['n,n=user,r=abc'],
    ['n=user,r=abc'],
    ['n,,m=x,n=user,r=abc'],
    ['n,,r=abc,n=user'],
    ['n,,n=,r=abc'],
    ['n,,n=us=er,r=abc'],
    ['n,,n=us=2c,r=abc'],
    ['n,,n=us=,r=abc'],
    ['n,,n=us\0er,r=abc'],
    ['n,,n=user'],
    ['n,,n=user,r='],
    ['n,,n=user,r=a b'],
    ['n,,n=user,r=ü'],
    ['n,,n=user,r=abc,'],
    ['n,,n=user,r=abc,x'],
    ['n,,n=user,r=abc,=1'],
    [' n,,n=user,r=abc'],
    ['n,,n=user,r=abc\n'],
    [`n,,n=user,r=${'a'.repeat(3_000)}`],
    [Buffer.from([0x6e, 0x2c, 0x2c, 0x6e, 0x3d, 0xff, 0x2c, 0x72, 0x3d, 0x61])],
    [Buffer.from('\uFEFFn,,n=user,r=abc')],
  ])('%s', async (message) => {
    expect(await say(begin(), message)).toMatchObject({ refused: 'bad-credentials' });
  });

  test('but one with an extension that is not known goes on', async () => {
    expect(await say(begin(), 'n,,n=user,r=abc,x=1,Y==')).toHaveProperty('challenge');
  });
});

describe('a final message is refused', () => {
  const proof = CLIENT_FINAL.slice(CLIENT_FINAL.indexOf(',p='));
  const nonce = CLIENT_FINAL.slice(CLIENT_FINAL.indexOf('r='), CLIENT_FINAL.indexOf(',p='));
  test.each([
    [undefined],
    [''],
    [CLIENT_FIRST],
    [`c=biws,${nonce}`],
    [`${nonce},c=biws${proof}`],
    [`c=,${nonce}${proof}`],
    [`c=biwo,${nonce}${proof}`],
    [`c=biws,r=rOprNGfwEbeRWgbNEkqO${proof}`],
    [`c=biws,${nonce}x${proof}`],
    [`c=biws,${nonce},p=`],
    [`c=biws,${nonce}${proof}=`],
    [`c=biws,${nonce}${proof.slice(0, -1)}`],
    [`c=biws,${nonce}${proof.replace('VQ=', 'VR=')}`],
    [`c=biws,${nonce}${proof} `],
    [`c=biws,${nonce}${proof},x=1`],
    [`c=biws,${nonce},x=1${proof}`],
    [`c=biws,${nonce},p=${Buffer.alloc(32).toString('base64')}`],
    [`c=biws,${nonce},p=${Buffer.alloc(33).toString('base64')}`],
  ])('%s', async (message) => {
    const exchange = begin();
    await challengeOf(exchange, CLIENT_FIRST);
    expect(await say(exchange, message)).toMatchObject({ refused: 'bad-credentials' });
  });
});

test('no change of any byte of the client’s messages lets anyone in, and nothing is thrown', async () => {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), insert: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 2 }),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      async (early, late) => {
        const exchange = begin();
        const first = mutate(CLIENT_FIRST, early);
        const step = await say(exchange, first);
        if (!('challenge' in step)) return;
        const last = mutate(CLIENT_FINAL, late);
        const end = await say(exchange, last);
        const unchanged = Buffer.from(first).toString() === CLIENT_FIRST && Buffer.from(last).toString() === CLIENT_FINAL;
        expect('granted' in end).toBe(unchanged);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('no bytes at all make it throw', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(...'nrcp=,y a2CD3'.split('')) }),
      async (bytes, text) => {
        for (const message of [bytes, Buffer.from(text), Buffer.from(`n,,${text}`), Buffer.from(`n,,n=user,r=${text}`)]) {
          const exchange = begin();
          const step = await exchange.step(message);
          if ('challenge' in step) expect(await exchange.step(Buffer.from(`c=biws,${text}`))).toHaveProperty('refused');
          else expect(step).toHaveProperty('refused');
        }
      },
    ),
    { numRuns: 500 },
  );
});

function mutate(
  text: string,
  changes: readonly { readonly at: number; readonly byte: number; readonly insert: boolean }[],
): Uint8Array {
  const bytes = [...Buffer.from(text)];
  for (const { at, byte, insert } of changes) bytes.splice(at % bytes.length, insert ? 0 : 1, byte);
  return Uint8Array.from(bytes);
}
