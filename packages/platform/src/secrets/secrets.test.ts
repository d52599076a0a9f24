import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuditTrail } from '../audit/audit-trail.ts';
import { systemActor } from '../audit/actor.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { abandonSecrets } from './abandon-secrets.ts';
import { RETIRED_KEPT_MS } from './data-keys.ts';
import { FileMasterKeys } from './drivers/file-master-keys.ts';
import { addDevices, openTestSecrets, type TestSecrets } from './secrets.fixture.ts';
import type { Secrets } from './secrets.ts';

const ACTOR = systemActor('test');

function owner(id: string): { readonly id: ReturnType<typeof parseDeviceId>; readonly group: string } {
  return { id: parseDeviceId(id), group: '/' };
}

async function put(secrets: Secrets, device: string, name: string, value: string): Promise<void> {
  await secrets.devices.put(owner(device), name, value, ACTOR);
}

async function reveal(secrets: Secrets, device: string, name: string): Promise<string> {
  return await secrets.devices.reveal(owner(device), name, ACTOR);
}

async function sealedWith(open: TestSecrets): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { key_id: id } of await open.database.selectFrom('device_secret').select('key_id').execute())
    counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}

test('a secret is kept sealed, listed without its value, revealed on the record, and gone with its device', async () => {
  await using open = await openTestSecrets();
  await addDevices(open.database, ['d1']);
  await using secrets = await open.open();
  await put(secrets, 'd1', 'wifi', 'the old key');
  await put(secrets, 'd1', 'wifi', 'the wifi key');
  expect(await secrets.devices.list(parseDeviceId('d1'))).toEqual([
    { name: 'wifi', createdAtMs: expect.any(Number) as number, updatedAtMs: expect.any(Number) as number },
  ]);
  expect(await reveal(secrets, 'd1', 'wifi')).toBe('the wifi key');
  const trail = await new AuditTrail(open).list({ limit: 10 });
  expect(trail.map(({ action }) => action)).toEqual(['secret.reveal', 'secret.put', 'secret.put']);
  expect(JSON.stringify(trail)).not.toContain('the wifi key');
  for (const name of ['registry.db', 'registry.db-wal'])
    expect(readFileSync(join(open.folder, name)).includes('the wifi key')).toBe(false);
  await open.database.deleteFrom('device').execute();
  expect(await open.database.selectFrom('device_secret').selectAll().execute()).toEqual([]);
});

test('the secrets of the server are sealed at the first start, and stay what they were', async () => {
  await using open = await openTestSecrets();
  const before = await open.database.selectFrom('server_secret').selectAll().orderBy('name').execute();
  expect(before.map(({ name }) => name)).toEqual(['api-seal', 'scram-challenge']);
  for (let starts = 0; starts < 2; starts += 1) {
    await using secrets = await open.open();
    for (const { name, value } of before) expect(await secrets.server.read(name as 'api-seal')).toBe(value);
  }
  const after = await open.database.selectFrom('server_secret').selectAll().execute();
  expect(after.every(({ value, sealed }) => value === '' && sealed?.startsWith('v1.') === true)).toBe(true);
});

test('a sealed value that was moved to another device or name, or changed, is not given out', async () => {
  await using open = await openTestSecrets();
  await addDevices(open.database, ['d1', 'd2']);
  await using secrets = await open.open();
  for (const device of ['d1', 'd2']) for (const name of ['a', 'b']) await put(secrets, device, name, `${device} ${name}`);
  const rows = await open.database.selectFrom('device_secret').selectAll().execute();
  const sealedOf = (device: string, name: string): string =>
    rows.find((row) => row.device_id === device && row.name === name)?.sealed ?? '';
  const overwrite = async (sealed: string): Promise<void> =>
    void (await open.database
      .updateTable('device_secret')
      .set({ sealed })
      .where('device_id', '=', 'd1')
      .where('name', '=', 'a')
      .execute());
  for (const sealed of [sealedOf('d2', 'a'), sealedOf('d1', 'b'), `${sealedOf('d1', 'a').slice(0, -4)}AAAA`, 'plain text']) {
    await overwrite(sealed);
    await expect(reveal(secrets, 'd1', 'a')).rejects.toMatchObject({ code: 'secrets.unreadable' });
  }
  await overwrite(sealedOf('d1', 'a'));
  expect(await reveal(secrets, 'd1', 'a')).toBe('d1 a');
});

test('a new data key seals from then on; all that was sealed before comes under it, and the old key goes', async () => {
  await using open = await openTestSecrets();
  const ids = Array.from({ length: 450 }, (_, i) => `d${i}`);
  await addDevices(open.database, ids);
  await using secrets = await open.open();
  for (const id of ids) await put(secrets, id, 'key', `value of ${id}`);
  const [first] = secrets.status().dataKeys;
  await secrets.rotateDataKey(ACTOR);
  expect(secrets.status()).toMatchObject({ resealing: { done: expect.any(Number) as number } });
  await secrets.settled();
  const [, second] = secrets.status().dataKeys;
  expect(await sealedWith(open)).toEqual({ [second?.id ?? '']: 450 });
  expect(await reveal(secrets, 'd449', 'key')).toBe('value of d449');
  // It may still be on its way into a row for a while.
  expect(secrets.status().dataKeys.map(({ id }) => id)).toEqual([first?.id, second?.id]);
  open.clock.advance(RETIRED_KEPT_MS);
  await secrets.rotateDataKey(ACTOR);
  await secrets.settled();
  expect(secrets.status().dataKeys.map(({ id }) => id)).not.toContain(first?.id);
  await using again = await open.open();
  expect(await reveal(again, 'd0', 'key')).toBe('value of d0');
  expect(await again.server.read('api-seal')).toHaveLength(43);
});

test('while keys rotate, everything is read and written as ever', async () => {
  await using open = await openTestSecrets();
  const ids = Array.from({ length: 300 }, (_, i) => `d${i}`);
  await addDevices(open.database, ids);
  await using secrets = await open.open();
  const expected = new Map<string, string>();
  for (const id of ids) {
    expected.set(id, `${id} 0`);
    await put(secrets, id, 'key', `${id} 0`);
  }
  let isDone = false;
  const load = async (offset: number): Promise<void> => {
    for (let turn = offset; !isDone; turn += 7) {
      const id = ids[turn % ids.length] ?? '';
      if (turn % 3 === 0) {
        expected.set(id, `${id} ${turn}`);
        await put(secrets, id, 'key', `${id} ${turn}`);
      }
      expect(await reveal(secrets, id, 'key')).toBe(expected.get(id));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  // Each device is written by one of them alone.
  const loads = [load(0)];
  for (let turn = 0; turn < 6; turn += 1) {
    await (turn % 2 === 0 ? secrets.rotateDataKey(ACTOR) : secrets.rotateMasterKey(ACTOR));
    await secrets.settled();
  }
  isDone = true;
  await Promise.all(loads);
  for (const [id, value] of expected) expect(await reveal(secrets, id, 'key')).toBe(value);
  await using again = await open.open();
  await again.settled();
  for (const [id, value] of expected) expect(await reveal(again, id, 'key')).toBe(value);
});

test('a rotation that was broken off goes on at the next start, and what cannot be opened stays as it is', async () => {
  await using open = await openTestSecrets();
  const ids = Array.from({ length: 250 }, (_, i) => `d${i}`);
  await addDevices(open.database, ids);
  {
    await using secrets = await open.open();
    for (const id of ids) await put(secrets, id, 'key', id);
    await open.database
      .updateTable('device_secret')
      .set({ sealed: 'v1.0000000000000000.AAAA' })
      .where('device_id', '=', 'd7')
      .execute();
    await secrets.rotateDataKey(ACTOR);
    // Stopped in the middle.
  }
  await using again = await open.open();
  await again.settled();
  const [old, now] = again.status().dataKeys;
  expect(await sealedWith(open)).toEqual({ [old?.id ?? '']: 1, [now?.id ?? '']: 249 });
  await expect(reveal(again, 'd7', 'key')).rejects.toMatchObject({ code: 'secrets.unreadable' });
  expect(await reveal(again, 'd249', 'key')).toBe('d249');
});

test('a new master key takes the place of the old one in the file; the old one opens nothing any more', async () => {
  await using open = await openTestSecrets();
  await addDevices(open.database, ['d1']);
  const old = join(open.folder, 'copy');
  {
    await using secrets = await open.open();
    await put(secrets, 'd1', 'key', 'value');
    writeFileSync(old, readFileSync(open.file.path), { mode: 0o600 });
    await secrets.rotateMasterKey(ACTOR);
    expect(await reveal(secrets, 'd1', 'key')).toBe('value');
  }
  expect(open.file.read()).toHaveLength(1);
  expect(statSync(open.file.path).mode & 0o777).toBe(0o600);
  {
    await using secrets = await open.open();
    expect(await reveal(secrets, 'd1', 'key')).toBe('value');
  }
  renameSync(old, open.file.path);
  const wrong = open.open();
  await expect(wrong).rejects.toMatchObject({
    code: 'secrets.wrong-master-key',
    message: expect.stringMatching(/sealed under the master key file:\w+, but .* holds file:\w+/) as string,
  });
});

test('a rotation of the master key that is broken off between file and database is finished at the next start', async () => {
  await using open = await openTestSecrets();
  await addDevices(open.database, ['d1']);
  {
    await using secrets = await open.open();
    await put(secrets, 'd1', 'key', 'value');
  }
  const added = open.file.add();
  expect(open.file.read()).toHaveLength(2);
  await using secrets = await open.open();
  expect(await reveal(secrets, 'd1', 'key')).toBe('value');
  expect(open.file.read().map(({ id }) => id)).toEqual([added.id]);
  expect(await open.database.selectFrom('data_key').select('master_id').execute()).toEqual([{ master_id: added.id }]);
});

test('a master key that is open to everybody, damaged or empty is not taken, and the message says what to do', async () => {
  await using open = await openTestSecrets();
  {
    await using _ = await open.open();
  }
  chmodSync(open.file.path, 0o604);
  await expect(open.open()).rejects.toThrow(/may be read by everybody on this machine: chmod 600/);
  chmodSync(open.file.path, 0o600);
  const text = readFileSync(open.file.path, 'utf8');
  for (const [damaged, message] of [
    [text.replace(/^(\w{16} )(.)/m, (_, id: string, first: string) => id + (first === 'A' ? 'B' : 'A')), /damaged/],
    [text.slice(0, -10), /damaged/],
    ['# nothing\n', /is empty/],
  ] as const) {
    writeFileSync(open.file.path, damaged);
    await expect(open.open()).rejects.toThrow(message);
  }
});

test('another key under the name of the right one is told, not taken', async () => {
  await using open = await openTestSecrets();
  {
    await using _ = await open.open();
  }
  const other = new FileMasterKeys({ path: join(open.folder, 'other.key'), random: (count) => Buffer.alloc(count, 5) });
  const [row] = await open.database.selectFrom('data_key').selectAll().execute();
  const impostor = { ...other.make(), id: row?.master_id ?? '' };
  await expect(open.openWith(impostor)).rejects.toMatchObject({ code: 'secrets.wrong-master-key' });
});

test('secrets whose master key is lost can be given up: the server starts again, without them', async () => {
  await using open = await openTestSecrets();
  await addDevices(open.database, ['d1']);
  let seal = '';
  {
    await using secrets = await open.open();
    await put(secrets, 'd1', 'key', 'value');
    seal = await secrets.server.read('api-seal');
  }
  renameSync(open.file.path, `${open.file.path}.lost`);
  expect(await abandonSecrets(open)).toBe(1);
  await using secrets = await open.open();
  expect(await secrets.devices.list(parseDeviceId('d1'))).toEqual([]);
  expect(await secrets.server.read('api-seal')).not.toBe(seal);
});

test('names, sizes and numbers of secrets have bounds', async () => {
  await using open = await openTestSecrets();
  await addDevices(open.database, ['d1']);
  await using secrets = await open.open();
  for (const [name, value] of [
    ['', 'x'],
    ['a b', 'x'],
    ['a'.repeat(65), 'x'],
    ['a', ''],
    ['a', 'x'.repeat(16_385)],
  ] as const) {
    await expect(put(secrets, 'd1', name, value)).rejects.toMatchObject({ code: 'request.invalid' });
  }
  for (let count = 0; count < 32; count += 1) await put(secrets, 'd1', `n${count}`, 'x');
  await expect(put(secrets, 'd1', 'one-more', 'x')).rejects.toMatchObject({ code: 'request.invalid' });
  await put(secrets, 'd1', 'n1', 'changed');
  await secrets.devices.remove(owner('d1'), 'n1', ACTOR);
  await expect(secrets.devices.remove(owner('d1'), 'n1', ACTOR)).rejects.toMatchObject({ code: 'secret.not-found' });
});
