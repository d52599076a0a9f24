import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Provider } from 'oidc-provider';
import { callerWith, openTestPeople, type TestPeople } from './people.fixture.ts';
import type { OidcSettings } from './oidc-sign-in.ts';

const root = callerWith('administrator', '/');
const origin = { remoteAddress: '192.0.2.1', userAgent: 'a browser' };
const REDIRECT_URI = 'https://selsyn.example/api/v1/session/oidc/callback';

/** Who is at the provider, and what it says of them. */
const PEOPLE: Record<string, Record<string, unknown>> = {
  'sub-ann': { preferred_username: 'Ann', name: 'Ann Example', groups: ['operators', 'acme-admins'] },
  'sub-bob': { preferred_username: 'bob', groups: ['nothing'] },
  'sub-ann-2': { preferred_username: 'ann', groups: ['operators'] },
};

let server: Server;
let issuer: string;
beforeAll(async () => {
  server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'selsyn', client_secret: 'the secret of the client', redirect_uris: [REDIRECT_URI] }],
    scopes: ['openid', 'profile', 'email'],
    claims: { profile: ['name', 'preferred_username', 'groups'] },
    pkce: { required: () => true },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['a key of the tests'] },
    findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, ...PEOPLE[id] }) }),
  });
  provider.on('server_error', (_context, error) => {
    throw error;
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    void (async () => {
      const { pathname, searchParams } = new URL(request.url ?? '/', issuer);
      if (!pathname.startsWith('/interaction/')) return await handle(request, response);
      // What a page of sign-in would do: the test says in a header who it is.
      const details = await provider.interactionDetails(request, response);
      const accountId = String(request.headers['x-person']);
      const grant = new provider.Grant({ accountId, clientId: 'selsyn' });
      grant.addOIDCScope('openid profile email');
      const grantId = await grant.save();
      expect(searchParams.size + details.uid.length).toBeGreaterThan(0);
      await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
    })();
  });
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

async function open(changes: Partial<OidcSettings> = {}): Promise<TestPeople> {
  return await openTestPeople({
    issuer,
    clientId: 'selsyn',
    clientSecret: 'the secret of the client',
    label: 'Example',
    scopes: 'profile email',
    claim: 'groups',
    rules: [
      { value: 'operators', role: 'operator', group: '/' },
      { value: 'acme-admins', role: 'administrator', group: '/acme' },
      { value: 'ghosts', role: 'no-such-role', group: '/' },
    ],
    redirectUri: REDIRECT_URI,
    ...changes,
  });
}

/** What the browser of a person does at the provider. @returns the query that it is sent back with. */
async function visit(url: string, person: string): Promise<string> {
  const jar = new Map<string, string>();
  for (let hops = 0, at = url; hops < 10; hops++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(at, { redirect: 'manual', headers: { cookie, 'x-person': person } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    const next = answer.headers.get('location');
    if (next === null) throw new Error(`the provider answered ${answer.status}: ${await answer.text()}`);
    at = new URL(next, at).href;
    if (at.startsWith(REDIRECT_URI)) return new URL(at).search.slice(1);
  }
  throw new Error('too many redirections');
}

async function signIn({ people }: TestPeople, person: string, returnTo = '/') {
  const oidc = people.oidcSignIn!;
  const { url, pending } = await oidc.begin(returnTo);
  return await oidc.finish(await visit(url, person), pending, origin);
}

test('who signs in at the provider gets the roles that the rules give, and a user of their own', async () => {
  await using test = await open();
  const { session, returnTo } = await signIn(test, 'sub-ann', '/devices?q=1');
  expect(returnTo).toBe('/devices?q=1');
  expect(session.method).toBe('oidc');
  const caller = await test.people.identities.find(session.token);
  expect(caller?.grants.map(({ role, group }) => [role, group]).toSorted()).toEqual([
    ['administrator', '/acme'],
    ['operator', '/'],
  ]);
  expect(await test.people.users.get('ann', root)).toMatchObject({
    displayName: 'Ann Example',
    oidc: true,
    password: false,
    group: '/',
  });
  const actions = (await test.audit.list({ objectId: 'ann', limit: 10 }))
    .map(({ action, actor }) => [action, actor.id])
    .toReversed();
  expect(actions.slice(0, 3)).toEqual([
    ['user.create', 'oidc'],
    ['user.grant', 'oidc'],
    ['user.grant', 'oidc'],
  ]);
});

test('at each sign-in the roles become what the provider says, those given here stay', async () => {
  await using test = await open();
  const { users } = test.people;
  await signIn(test, 'sub-ann');
  await users.grant('ann', { role: 'viewer', group: '/beta' }, root);
  const before = PEOPLE['sub-ann'];
  try {
    PEOPLE['sub-ann'] = { preferred_username: 'renamed', groups: 'operators' };
    await signIn(test, 'sub-ann');
  } finally {
    PEOPLE['sub-ann'] = before ?? {};
  }
  expect((await users.get('ann', root)).grants).toEqual([
    { role: 'operator', group: '/', source: 'oidc' },
    { role: 'viewer', group: '/beta', source: 'local' },
  ]);
  await expect(users.revoke('ann', { role: 'operator', group: '/' }, root)).rejects.toMatchObject({ code: 'grant.not-found' });
});

test('who gets no role gets neither a user nor a session', async () => {
  await using test = await open();
  await expect(signIn(test, 'sub-bob')).rejects.toMatchObject({ code: 'access.denied' });
  expect((await test.people.users.list({ scope: { groups: ['/'] }, limit: 9 })).items).toEqual([]);
});

test('a name that another user has makes nobody that user', async () => {
  await using test = await open();
  await test.people.users.create({ name: 'ann', grants: [{ role: 'administrator', group: '/' }] }, root);
  const { session } = await signIn(test, 'sub-ann-2');
  const caller = await test.people.identities.find(session.token);
  expect(caller?.actor.name).toMatch(/^ann-[0-9a-f]{10}$/);
  expect(caller?.grants.map(({ role }) => role)).toEqual(['operator']);
});

test('a disabled user is kept out', async () => {
  await using test = await open();
  await signIn(test, 'sub-ann');
  await test.people.users.update('ann', { disabled: true }, root);
  await expect(signIn(test, 'sub-ann')).rejects.toMatchObject({ code: 'sign-in.failed' });
});

test('only the browser that began can end a sign-in, once, in ten minutes', async () => {
  await using test = await open();
  const oidc = test.people.oidcSignIn!;
  const failed = { code: 'sign-in.failed' };
  const mine = await oidc.begin('/');
  const others = await oidc.begin('/');
  const query = await visit(mine.url, 'sub-ann');
  await expect(oidc.finish(query, undefined, origin)).rejects.toMatchObject(failed);
  await expect(oidc.finish(query, 'nonsense', origin)).rejects.toMatchObject(failed);
  // Another browser's state, nonce and PKCE verifier.
  await expect(oidc.finish(query, others.pending, origin)).rejects.toMatchObject(failed);
  // All that is right but the state.
  await expect(oidc.finish(query.replace(/state=[^&]+/, 'state=guessed'), mine.pending, origin)).rejects.toMatchObject(failed);
  await expect(oidc.finish(`${query}&state=x`, mine.pending, origin)).rejects.toMatchObject(failed);
  await expect(oidc.finish(query.replace(/code=[^&]+/, 'code=guessed'), mine.pending, origin)).rejects.toMatchObject(failed);
  await expect(oidc.finish('error=access_denied', mine.pending, origin)).rejects.toMatchObject(failed);
  expect(await test.database.selectFrom('user_session').selectAll().execute()).toEqual([]);
  const late = await oidc.begin('/');
  const lateQuery = await visit(late.url, 'sub-ann');
  test.clock.advance(10 * 60_000);
  await expect(oidc.finish(lateQuery, late.pending, origin)).rejects.toMatchObject(failed);
  const again = await oidc.begin('/');
  const code = await visit(again.url, 'sub-ann');
  await oidc.finish(code, again.pending, origin);
  await expect(oidc.finish(code, again.pending, origin)).rejects.toMatchObject(failed);
});

test('what is asked of the provider has PKCE, state and nonce', async () => {
  await using test = await open();
  const { searchParams } = new URL((await test.people.oidcSignIn!.begin('/')).url);
  expect(Object.fromEntries(searchParams)).toMatchObject({
    response_type: 'code',
    client_id: 'selsyn',
    redirect_uri: REDIRECT_URI,
    scope: 'openid profile email',
    code_challenge_method: 'S256',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
  });
});

test.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '', '/a b', '/a\n'])(
  'a sign-in does not lead to %j',
  async (returnTo) => {
    await using test = await open();
    expect((await signIn(test, 'sub-ann', returnTo)).returnTo).toBe('/');
  },
);

test('a wrong client secret signs nobody in, and the log tells', async () => {
  await using test = await open({ clientSecret: 'another' });
  await expect(signIn(test, 'sub-ann')).rejects.toMatchObject({ code: 'sign-in.failed' });
  expect(test.lines).toHaveLength(1);
});

test('a provider that cannot be reached is asked again at the next sign-in', async () => {
  await using test = await open({ issuer: 'http://127.0.0.1:9' });
  for (let n = 1; n <= 2; n++) {
    await expect(test.people.oidcSignIn!.begin('/')).rejects.toMatchObject({ code: 'sign-in.unavailable', retryable: true });
    expect(test.lines).toHaveLength(n);
  }
});
