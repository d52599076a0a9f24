import { expect, test } from 'vitest';
import { AuditTrail } from '../audit/audit-trail.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { openTestSecrets } from '../secrets/secrets.fixture.ts';
import { AccessKeyLookup } from './access-key-lookup.ts';
import { AccessKeys, MAX_KEYS_A_DEVICE } from './access-keys.ts';
import { scopeOf } from './caller.ts';
import { callerOf, callerWith } from './people.fixture.ts';
import { RoleStore } from './role-store.ts';

const root = callerWith('administrator', '/');
const acme = callerWith('administrator', '/acme');
const viewer = [{ role: 'viewer', group: '/' }];

async function openTestKeys() {
  const sealed = await openTestSecrets();
  const { database, clock, random } = sealed;
  const secrets = await sealed.open();
  const audit = new AuditTrail({ database, clock });
  const roles = new RoleStore({ database, clock, audit });
  const { sealer } = secrets;
  const keys = new AccessKeys({ database, clock, random, audit, roles, sealer });
  const lookup = new AccessKeyLookup({ database, clock, sealer });
  const devices = new DeviceStore({ database, clock });
  return {
    keys,
    lookup,
    secrets,
    audit,
    database,
    clock,
    devices,
    addDevice: async (id: string, group: string) => await devices.create({ id: parseDeviceId(id), group }),
    async [Symbol.asyncDispose]() {
      await secrets[Symbol.asyncDispose]();
      await sealed[Symbol.asyncDispose]();
    },
  };
}

test('a key is shown with its secret once, kept sealed, and found with it by its id', async () => {
  await using test = await openTestKeys();
  const { keys, lookup } = test;
  const { secret, ...made } = await keys.create({ name: 'fleet tool', holder: { grants: viewer } }, root);
  expect(made).toMatchObject({ name: 'fleet tool', group: '/', grants: viewer, device: undefined, disabled: false });
  expect(made.id).toMatch(/^AKSY[A-Z2-7]{16}$/);
  expect(secret).toMatch(/^[A-Za-z0-9+/]{40}$/);
  expect((await keys.list({ limit: 10 })).items).toEqual([made]);
  const held = await lookup.find(made.id);
  expect(held).toMatchObject({ id: made.id, name: 'fleet tool', secret });
  const grants = held !== undefined && 'grants' in held.holder ? held.holder.grants : [];
  expect(scopeOf({ grants }, 'telemetry:read')).toEqual({ groups: ['/'] });
  expect(scopeOf({ grants }, 'devices:write')).toEqual({ groups: [] });
  const stored = JSON.stringify(await test.database.selectFrom('access_key').selectAll().execute());
  expect(stored).not.toContain(secret);
  const trail = await test.audit.list({ objectKind: 'access-key', limit: 10 });
  expect(trail.map(({ action }) => action)).toEqual(['access-key.grant', 'access-key.create']);
  expect(JSON.stringify(trail)).not.toContain(secret);
});

test('nothing is found by what is no id, or nobody’s', async () => {
  await using test = await openTestKeys();
  for (const id of ['', 'AKIAIOSFODNN7EXAMPLE', `AKSY${'A'.repeat(16)}`, 'x'.repeat(100_000)])
    expect(await test.lookup.find(id)).toBeUndefined();
});

test('a key that is disabled, expired or removed holds no more', async () => {
  await using test = await openTestKeys();
  const { keys, lookup, clock } = test;
  const expiresAtMs = clock.now() + 1_000;
  const one = await keys.create({ name: 'a', holder: { grants: viewer }, expiresAtMs }, root);
  expect(await keys.setDisabled(one.id, true, root)).toMatchObject({ disabled: true });
  expect(await lookup.find(one.id)).toBeUndefined();
  await keys.setDisabled(one.id, false, root);
  expect(await lookup.find(one.id)).toBeDefined();
  clock.advance(1_000);
  expect(await lookup.find(one.id)).toBeUndefined();
  const two = await keys.create({ name: 'b', holder: { grants: viewer } }, root);
  await keys.remove(two.id, root);
  expect(await lookup.find(two.id)).toBeUndefined();
  await expect(keys.remove(two.id, root)).rejects.toMatchObject({ code: 'access-key.not-found' });
  const actions = (await test.audit.list({ objectKind: 'access-key', limit: 20 })).map(({ action }) => action);
  expect(actions).toEqual(expect.arrayContaining(['access-key.disable', 'access-key.enable', 'access-key.delete']));
  expect(await test.database.selectFrom('role_grant').selectAll().where('holder_id', '=', two.id).execute()).toEqual([]);
});

test('the key of a device is the device, and goes with it', async () => {
  await using test = await openTestKeys();
  const { keys, lookup } = test;
  await test.addDevice('meter-1', '/acme');
  const { id, secret } = await keys.create({ name: 'meter', holder: { device: 'meter-1' } }, acme);
  expect(await lookup.find(id)).toMatchObject({ secret, holder: { device: 'meter-1' } });
  expect((await keys.list({ scope: { groups: ['/acme'] }, limit: 10 })).items).toMatchObject([
    { id, device: 'meter-1', group: '/acme' },
  ]);
  expect((await keys.list({ scope: { groups: ['/beta'] }, limit: 10 })).items).toEqual([]);
  expect((await keys.list({ device: 'meter-2', limit: 10 })).items).toEqual([]);
  await expect(keys.grant(id, { role: 'viewer', group: '/acme' }, acme)).rejects.toMatchObject({ code: 'request.invalid' });
  for (let n = 1; n < MAX_KEYS_A_DEVICE; n++) await keys.create({ name: 'next', holder: { device: 'meter-1' } }, acme);
  await expect(keys.create({ name: 'more', holder: { device: 'meter-1' } }, acme)).rejects.toMatchObject({
    code: 'request.too-large',
  });
  // Who may not make one may not let it hold again either.
  const onlyKeys = callerOf([{ group: '/acme', permissions: new Set(['keys:read', 'keys:write'] as const) }]);
  await keys.setDisabled(id, true, onlyKeys);
  await expect(keys.setDisabled(id, false, onlyKeys)).rejects.toMatchObject({ code: 'access.denied' });
  await keys.setDisabled(id, false, acme);
  // It is looked after where its device stands now.
  await test.devices.update(parseDeviceId('meter-1'), { group: '/beta' });
  expect((await keys.list({ scope: { groups: ['/acme'] }, limit: 10 })).items).toEqual([]);
  expect((await keys.list({ scope: { groups: ['/beta'] }, limit: 10 })).items).toHaveLength(MAX_KEYS_A_DEVICE);
  await expect(keys.remove(id, acme)).rejects.toMatchObject({ code: 'access-key.not-found' });
  await test.database.deleteFrom('device').where('id', '=', 'meter-1').execute();
  expect(await lookup.find(id)).toBeUndefined();
});

test('nobody makes a key that may more than they may, or for a device that they may not change', async () => {
  await using test = await openTestKeys();
  const { keys } = test;
  await test.addDevice('meter-1', '/acme');
  const onlyKeys = callerOf([{ group: '/acme', permissions: new Set(['keys:read', 'keys:write'] as const) }]);
  const attempts = [
    [acme, { grants: viewer }, 'access.denied'],
    [onlyKeys, { grants: [{ role: 'viewer', group: '/acme' }] }, 'access.denied'],
    [callerWith('engineer', '/'), { grants: viewer }, 'access.denied'],
    [onlyKeys, { device: 'meter-1' }, 'access.denied'],
    [callerWith('administrator', '/beta'), { device: 'meter-1' }, 'device.not-found'],
    [root, { device: 'nobody' }, 'device.not-found'],
    [root, { grants: [{ role: 'nothing', group: '/' }] }, 'role.not-found'],
  ] as const;
  for (const [caller, holder, code] of attempts)
    await expect(keys.create({ name: 'k', holder }, caller)).rejects.toMatchObject({ code });
  expect((await keys.list({ limit: 10 })).items).toEqual([]);
  const strong = await keys.create({ name: 'strong', holder: { grants: viewer, group: '/acme' } }, root);
  await expect(keys.setDisabled(strong.id, true, acme)).rejects.toMatchObject({ code: 'access.denied' });
  const elsewhere = await keys.create({ name: 'beta', holder: { grants: [{ role: 'viewer', group: '/beta' }] } }, root);
  await expect(keys.remove(elsewhere.id, acme)).rejects.toMatchObject({ code: 'access-key.not-found' });
});

test('lists come in pages, the oldest first', async () => {
  await using test = await openTestKeys();
  const made: string[] = [];
  for (let n = 0; n < 5; n++) {
    made.push((await test.keys.create({ name: `k${n}`, holder: { grants: viewer } }, root)).id);
    if (n % 2 === 0) test.clock.advance(1);
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await test.keys.list({ limit: 2, cursor });
    seen.push(...page.items.map(({ id }) => id));
    ({ cursor } = page);
  } while (cursor !== undefined);
  expect(seen.toSorted()).toEqual(made.toSorted());
  expect(seen[0]).toBe(made[0]);
  await expect(test.keys.list({ limit: 2, cursor: 'x' })).rejects.toMatchObject({ code: 'request.invalid' });
});

test('when and for what it was last used is kept to the minute', async () => {
  await using test = await openTestKeys();
  const { keys, lookup, clock } = test;
  const { id } = await keys.create({ name: 'k', holder: { grants: viewer } }, root);
  const use = async (service: string): Promise<void> => {
    const held = await lookup.find(id);
    if (held !== undefined) await lookup.noteUse(held, service);
  };
  await use('iotdata');
  const atMs = clock.now();
  clock.advance(59_000);
  await use('iot-jobs-data');
  expect((await keys.list({ limit: 1 })).items).toMatchObject([{ usedAtMs: atMs, usedService: 'iotdata' }]);
  clock.advance(1_000);
  await use('iot-jobs-data');
  expect((await keys.list({ limit: 1 })).items).toMatchObject([{ usedAtMs: atMs + 60_000, usedService: 'iot-jobs-data' }]);
});

test('its secret comes under a new data key with everything else, and moved into another row it does not open', async () => {
  await using test = await openTestKeys();
  const { keys, lookup, database } = test;
  const one = await keys.create({ name: 'one', holder: { grants: viewer } }, root);
  const two = await keys.create({ name: 'two', holder: { grants: viewer } }, root);
  await test.secrets.rotateDataKey(root.actor);
  await test.secrets.settled();
  const rows = await database.selectFrom('access_key').select(['id', 'key_id', 'sealed']).execute();
  expect(new Set(rows.map((row) => row.key_id))).toEqual(new Set([test.secrets.status().dataKeys.at(-1)?.id]));
  expect(await lookup.find(one.id)).toMatchObject({ secret: one.secret });
  const other = rows.find(({ id }) => id === two.id);
  await database
    .updateTable('access_key')
    .set({ sealed: other?.sealed ?? '' })
    .where('id', '=', one.id)
    .execute();
  await expect(lookup.find(one.id)).rejects.toMatchObject({ code: 'secrets.unreadable' });
});
