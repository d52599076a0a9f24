import { expect, test } from 'vitest';
import { callerWith, GOOD_PASSWORD, openTestPeople, OTHER_PASSWORD, type TestPeople } from './people.fixture.ts';

const root = callerWith('administrator', '/');
const origin = { remoteAddress: '192.0.2.1', userAgent: 'a browser' };

async function withAnn(): Promise<TestPeople> {
  const test = await openTestPeople();
  await test.people.users.create({ name: 'ann', password: GOOD_PASSWORD, grants: [{ role: 'viewer', group: '/' }] }, root);
  return test;
}

async function signIn({ people }: TestPeople, password = GOOD_PASSWORD, from = origin) {
  return await people.passwordSignIn.signIn({ name: 'ann', password }, from);
}

test('a session ends after an hour without a request, and after twelve in any case', async () => {
  await using test = await withAnn();
  const { identities } = test.people;
  const idle = await signIn(test);
  const used = await signIn(test);
  for (let minute = 0; minute < 12 * 60 - 1; minute++) {
    test.clock.advance(60_000);
    expect(await identities.find(used.token)).toBeDefined();
    if (minute === 58) expect((await test.people.sessions.listOf((await identities.find(used.token))!.actor.id)).length).toBe(2);
    if (minute === 59) expect(await identities.find(idle.token)).toBeUndefined();
  }
  test.clock.advance(60_000);
  expect(await identities.find(used.token)).toBeUndefined();
});

test('asking whether a session still holds does not keep it alive', async () => {
  await using test = await withAnn();
  const { token } = await signIn(test);
  for (let n = 0; n < 11; n++) {
    test.clock.advance(5 * 60_000);
    expect(await test.people.identities.find(token, undefined, 'renewal')).toBeDefined();
  }
  test.clock.advance(5 * 60_000);
  expect(await test.people.identities.find(token, undefined, 'renewal')).toBeUndefined();
});

test('a user has at most twenty sessions: the oldest ends', async () => {
  await using test = await withAnn();
  const tokens: string[] = [];
  for (let n = 0; n < 21; n++) {
    tokens.push((await signIn(test)).token);
    test.clock.advance(1);
  }
  expect(await test.people.identities.find(tokens[0] ?? '')).toBeUndefined();
  expect(await test.people.identities.find(tokens[1] ?? '')).toBeDefined();
  expect(await test.database.selectFrom('user_session').select('id').execute()).toHaveLength(20);
});

test('what is no token of a session is nobody’s', async () => {
  await using test = await withAnn();
  const { token } = await signIn(test);
  for (const other of ['selsyn_ses_', `${token}x`, token.slice(0, -1), token.toUpperCase(), `selsyn_ses_${'x'.repeat(10_000)}`]) {
    expect(await test.people.identities.find(other)).toBeUndefined();
  }
});

test('a wrong password, an unknown name and a disabled account get the same answer, and each leaves a trace', async () => {
  await using test = await withAnn();
  const { users, passwordSignIn } = test.people;
  await users.create({ name: 'off', password: GOOD_PASSWORD, grants: [] }, root);
  await users.create({ name: 'sso', grants: [] }, root);
  await users.update('off', { disabled: true }, root);
  const answers = [
    { name: 'ann', password: 'wrong' },
    { name: 'nobody', password: GOOD_PASSWORD },
    { name: 'off', password: GOOD_PASSWORD },
    { name: 'sso', password: '' },
    { name: '', password: '' },
  ].map(async (credentials) => await passwordSignIn.signIn(credentials, origin).catch((error: unknown) => error));
  const messages = new Set((await Promise.all(answers)).map((error) => `${(error as { code: string }).code} ${String(error)}`));
  expect([...messages]).toEqual([expect.stringContaining('sign-in.failed')]);
  const trail = await test.audit.list({ action: 'session.refuse', limit: 10 });
  expect(trail.map(({ object, after }) => `${object.id} ${(after as { reason: string }).reason}`).toSorted()).toEqual([
    '(unknown) unknown',
    '(unknown) unknown',
    'ann password',
    'off disabled',
    'sso password',
  ]);
  // People type their password where the name belongs.
  expect(JSON.stringify(trail)).not.toContain('nobody');
});

test('an unknown name is locked out as a known one is', async () => {
  await using test = await withAnn();
  for (const name of ['ann', 'nobody']) {
    const codes: string[] = [];
    for (let n = 0; n < 7; n++) {
      const from = { ...origin, remoteAddress: `198.51.100.${n}` };
      await test.people.passwordSignIn
        .signIn({ name, password: 'wrong' }, from)
        .catch((error: { code: string }) => codes.push(error.code));
    }
    expect(codes).toEqual([...Array<string>(5).fill('sign-in.failed'), 'access.locked-out', 'access.locked-out']);
  }
});

test('while an account has to wait the right password is refused too, until an operator unlocks it', async () => {
  await using test = await withAnn();
  for (let n = 0; n < 5; n++) {
    await expect(signIn(test, 'wrong', { ...origin, remoteAddress: `198.51.100.${n}` })).rejects.toMatchObject({
      code: 'sign-in.failed',
    });
  }
  await expect(signIn(test)).rejects.toMatchObject({ code: 'access.locked-out' });
  await test.people.users.unlock('ann', root);
  expect((await signIn(test)).token).toBeDefined();
});

test('after a hundred wrong passwords only an operator opens the account, but where its user signed in before', async () => {
  await using test = await withAnn();
  await signIn(test);
  for (let n = 0; n < 100; n++) {
    await expect(signIn(test, 'wrong', { ...origin, remoteAddress: `198.51.100.${n}` })).rejects.toMatchObject({
      code: 'sign-in.failed',
    });
    test.clock.advance(15 * 60_000);
  }
  expect(await test.people.users.get('ann', root)).toMatchObject({ locked: true });
  expect(await test.audit.list({ action: 'user.lock', limit: 2 })).toHaveLength(1);
  const elsewhere = { ...origin, remoteAddress: '203.0.113.9' };
  await expect(signIn(test, GOOD_PASSWORD, elsewhere)).rejects.toMatchObject({ code: 'sign-in.failed' });
  expect((await signIn(test)).token).toBeDefined();
  await test.people.users.unlock('ann', root);
  expect((await signIn(test, GOOD_PASSWORD, elsewhere)).token).toBeDefined();
});

test('a hundred wrong passwords where its user signed in before lock the account there too', async () => {
  await using test = await withAnn();
  await signIn(test);
  for (let n = 0; n < 100; n++) {
    await expect(signIn(test, 'wrong')).rejects.toMatchObject({ code: 'sign-in.failed' });
    test.clock.advance(15 * 60_000);
  }
  await expect(signIn(test)).rejects.toMatchObject({ code: 'sign-in.failed' });
  expect(await test.people.users.get('ann', root)).toMatchObject({ locked: true });
});

test('users change their own password with the one they have, which ends their other sessions', async () => {
  await using test = await withAnn();
  const { ownAccount, sessions } = test.people;
  const [here, there] = [await signIn(test), await signIn(test)];
  const caller = (await sessions.authenticate(here.token, '192.0.2.1'))!;
  await expect(ownAccount.changePassword({ current: 'wrong', next: OTHER_PASSWORD }, caller)).rejects.toMatchObject({
    code: 'sign-in.failed',
  });
  await expect(ownAccount.changePassword({ current: GOOD_PASSWORD, next: 'short' }, caller)).rejects.toMatchObject({
    code: 'password.refused',
  });
  await ownAccount.changePassword({ current: GOOD_PASSWORD, next: OTHER_PASSWORD }, caller);
  expect(await sessions.authenticate(here.token)).toBeDefined();
  expect(await sessions.authenticate(there.token)).toBeUndefined();
  await expect(signIn(test)).rejects.toMatchObject({ code: 'sign-in.failed' });
  expect((await signIn(test, OTHER_PASSWORD)).token).toBeDefined();
});

test('guesses at the current password from a session that was left open have to wait as well', async () => {
  await using test = await withAnn();
  const caller = (await test.people.sessions.authenticate((await signIn(test)).token, '192.0.2.1'))!;
  const guess = async () => await test.people.ownAccount.changePassword({ current: 'wrong', next: OTHER_PASSWORD }, caller);
  for (let n = 0; n < 5; n++) await expect(guess()).rejects.toMatchObject({ code: 'sign-in.failed' });
  await expect(guess()).rejects.toMatchObject({ code: 'access.locked-out' });
});

test('a session that began while its user was being disabled is none', async () => {
  await using test = await withAnn();
  const { token } = await signIn(test);
  await test.database.updateTable('user_account').set({ disabled: 1 }).execute();
  expect(await test.people.identities.find(token)).toBeUndefined();
});

test('users see and end their own sessions, and nobody else’s', async () => {
  await using test = await withAnn();
  const { ownAccount, sessions, users, passwordSignIn } = test.people;
  await users.create({ name: 'bob', password: GOOD_PASSWORD, grants: [] }, root);
  const bobs = await passwordSignIn.signIn({ name: 'bob', password: GOOD_PASSWORD }, origin);
  const own = await signIn(test);
  const caller = (await sessions.authenticate(own.token))!;
  expect((await ownAccount.sessions(caller)).map(({ id }) => id)).toEqual([own.id]);
  await expect(ownAccount.endSession(bobs.id, caller)).rejects.toMatchObject({ code: 'session.not-found' });
  expect(await sessions.authenticate(bobs.token)).toBeDefined();
  await ownAccount.endSession(own.id, caller);
  expect(await sessions.authenticate(own.token)).toBeUndefined();
  expect((await test.audit.list({ action: 'session.end', limit: 5 })).map(({ object }) => object.id)).toEqual(['ann']);
});
