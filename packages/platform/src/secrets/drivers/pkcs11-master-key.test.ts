import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { systemActor } from '../../audit/actor.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { findSoftHsm, SoftToken } from '../pkcs11/soft-token.fixture.ts';
import { Token } from '../pkcs11/token.ts';
import { addDevices, openTestSecrets } from '../secrets.fixture.ts';
import { Pkcs11MasterKey } from './pkcs11-master-key.ts';

const found = findSoftHsm();
if ('missing' in found) process.stderr.write(`skipped: ${found.missing}\n`);

describe.skipIf('missing' in found)('a master key in a PKCS#11 token', () => {
  // Of a process, not of a test: the module keeps the tokens that it has seen.
  const soft = 'module' in found ? new SoftToken(found.module) : undefined;
  afterAll(() => soft?.[Symbol.dispose]());
  const place = (): SoftToken => {
    if (soft === undefined) throw new Error('no token');
    return soft;
  };
  const token = (): Token => new Token({ module: place().module, token: place().label, pin: () => place().pin });
  const open = async (label: string, make = true): Promise<Pkcs11MasterKey> =>
    await Pkcs11MasterKey.open({ token: token(), label, random: randomBytes, make });

  it('is made there, found again, and never leaves it', async () => {
    await expect(open('first', false)).rejects.toMatchObject({ code: 'secrets.master-key-missing' });
    const key = await open('first');
    const again = await open('first', false);
    expect(again.id).toBe(key.id);
    const dataKey = randomBytes(32);
    const wrapped = await key.wrap(dataKey, 'k1');
    expect(await key.wrap(dataKey, 'k1')).not.toBe(wrapped);
    expect(Buffer.from(await again.unwrap(wrapped, 'k1'))).toEqual(dataKey);
    const rights = token().use(({ cryptoki, handle }) => {
      const [object = 0] = cryptoki.find(handle, [{ type: 3, value: Buffer.from('first') }], 1);
      // CKA_SENSITIVE, CKA_EXTRACTABLE
      return [0x103, 0x162].map((type) => cryptoki.attribute(handle, object, type)[0]);
    });
    expect(rights).toEqual([1, 0]);
  });

  it('opens nothing that was changed, wrapped under another name, or by another key', async () => {
    const [key, other] = [await open('first'), await open('other')];
    const wrapped = await key.wrap(randomBytes(32), 'k1');
    const changed = Buffer.from(wrapped, 'base64url');
    changed[20] = (changed[20] ?? 0) ^ 1;
    for (const attempt of [
      key.unwrap(wrapped, 'k2'),
      key.unwrap(changed.toString('base64url'), 'k1'),
      other.unwrap(wrapped, 'k1'),
      key.unwrap('', 'k1'),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'secrets.wrong-master-key' });
    }
  });

  it('takes over from a file, and needs the token at a start', async () => {
    await using secrets = await openTestSecrets();
    await addDevices(secrets.database, ['d1']);
    const owner = { id: parseDeviceId('d1'), group: '/' };
    {
      await using first = await secrets.open();
      await first.devices.put(owner, 'key', 'value', systemActor('test'));
    }
    const key = await open('takes over');
    {
      await using second = await secrets.openWith(key, secrets.file.read());
      expect(second.status().dataKeys.map(({ masterId }) => masterId)).toEqual([key.id]);
    }
    await using third = await secrets.openWith(await open('takes over', false));
    expect(await third.devices.reveal(owner, 'key', systemActor('test'))).toBe('value');
    place().takeOut();
    await expect(open('takes over')).rejects.toMatchObject({ code: 'secrets.unavailable' });
    place().putBack();
    expect(await third.devices.reveal(owner, 'key', systemActor('test'))).toBe('value');
  });
});
