import { describe, expect, it } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { certificateIdOf, describeCertificate } from '../pki/certificate-reading.ts';
import { openTestDoors, type TestDoors } from './doors.fixture.ts';
import { GREENHOUSE, TEMPLATE } from './provisioning.fixture.ts';
import { newVendor, registerVendor, type Vendor } from './vendor.fixture.ts';

const DEVICE: readonly (readonly ['O' | 'OU' | 'CN', string])[] = [
  ['O', 'Vendor'],
  ['OU', 'line-2'],
  ['CN', '1'],
];

async function open(change: Record<string, unknown> = {}): Promise<TestDoors & { readonly vendor: Vendor }> {
  const test = await openTestDoors();
  await test.putTemplate(change);
  await test.putManifest('serial\n1\n2\n3\n');
  const vendor = newVendor(test.pki);
  await registerVendor(test.pki, vendor, TEMPLATE);
  return { ...test, vendor };
}

describe('a certificate of a registered authority', () => {
  it('makes its device by the template, from the subject; it is in use from then on', async () => {
    const { device } = GREENHOUSE;
    const of = 'AWS::IoT::Certificate::';
    await using test = await open({
      parameters: {
        SerialNumber: {},
        [`${of}Organization`]: {},
        [`${of}Id`]: {},
        OrganizationalUnit: {},
        Site: { default: 'kiel' },
      },
      device: { ...device, attributes: { maker: `\${parameters.${of}Organization}`, line: '${parameters.OrganizationalUnit}' } },
    });
    const der = test.vendor.issue(DEVICE);
    expect(await test.justInTime().register(der)).toBe(true);
    expect(await test.pki.certificates.get(certificateIdOf(der))).toMatchObject({
      status: 'active',
      purpose: 'device',
      deviceId: 'gh-1',
      authorityId: test.vendor.id,
      subject: 'O=Vendor, OU=line-2, CN=1',
    });
    const [row] = await test.pki.database.selectFrom('device').select(['id', 'attributes']).where('id', '=', 'gh-1').execute();
    expect(JSON.parse(row?.attributes ?? '')).toEqual({ maker: 'Vendor', line: 'line-2' });
    expect(await test.lastTrace()).toBe('certificate of CN=Vendor CA · device gh-1 · serial in manifest · enrolled');
    const audited = await test.pki.trail.list({ limit: 9, action: 'certificate.create' });
    expect(audited[0]).toMatchObject({ actor: { kind: 'system', id: 'just-in-time' }, group: '/acme/kiel' });
  });

  it('knows the serial number from the serialNumber of the subject before its common name', async () => {
    await using test = await open();
    expect(
      await test.justInTime().register(
        test.vendor.issue([
          ['CN', '2'],
          ['serialNumber', '3'],
        ]),
      ),
    ).toBe(true);
    expect(await test.devices()).toEqual(['gh-3']);
  });

  it('is refused with a serial outside of the manifest, one that was used, and another key than the manifest says', async () => {
    await using test = await open();
    const justInTime = test.justInTime();
    expect(await justInTime.register(test.vendor.issue([['CN', '9']]))).toBe(false);
    expect(await test.lastTrace()).toContain('serial not in manifest · refused');
    expect(await justInTime.register(test.vendor.issue([['CN', '1']]))).toBe(true);
    expect(await justInTime.register(test.vendor.issue([['CN', '1']]))).toBe(false);
    expect(await test.lastTrace()).toContain('serial has enrolled before');
    const right = test.vendor.issue([['CN', '4']]);
    await test.putManifest(`serial,keyHash\n4,${describeCertificate(right).keyHash}\n`);
    expect(await justInTime.register(test.vendor.issue([['CN', '4']]))).toBe(false);
    expect(await test.lastTrace()).toContain('serial is in the manifest with another public key · refused');
    expect(await justInTime.register(right)).toBe(true);
    expect(await test.devices()).toEqual(['gh-1', 'gh-4']);
  });

  it('is refused when it is out of its time, for servers, or an authority itself', async () => {
    await using test = await open();
    const justInTime = test.justInTime();
    const nowMs = test.pki.clock.now();
    for (const [options, why] of [
      [{ notAfterMs: nowMs - 1_000 }, 'out of its time'],
      [{ notBeforeMs: nowMs + 3_600_000 }, 'out of its time'],
      [{ use: 'server' }, 'not for clients'],
      [{ isAuthority: true }, 'that of an authority'],
    ] as const) {
      expect(await justInTime.register(test.vendor.issue(DEVICE, options))).toBe(false);
      expect(await test.lastTrace()).toContain(why);
    }
    expect(await test.devices()).toEqual([]);
  });

  it('is nobody where its authority names no template, is inactive, or only bears the name of a registered one', async () => {
    await using test = await openTestDoors();
    await test.putTemplate({ manifestRequired: false });
    const [nameless, inactive, registered, impostor] = [
      newVendor(test.pki),
      newVendor(test.pki),
      newVendor(test.pki),
      newVendor(test.pki),
    ];
    await registerVendor(test.pki, nameless, null);
    await registerVendor(test.pki, inactive, TEMPLATE, 'inactive');
    await registerVendor(test.pki, registered, TEMPLATE);
    const justInTime = test.justInTime();
    expect(await justInTime.register(nameless.issue(DEVICE))).toBe(false);
    expect(await test.lastTrace()).toBe('certificate of CN=Vendor CA · the authority names no template · refused');
    expect(await justInTime.register(inactive.issue(DEVICE))).toBe(false);
    expect(await justInTime.register(impostor.issue(DEVICE))).toBe(false);
    expect(await test.devices()).toEqual([]);
    expect(await justInTime.register(registered.issue(DEVICE))).toBe(true);
  });

  it('is registered once by two connections that come together', async () => {
    await using test = await open();
    const justInTime = test.justInTime();
    const der = test.vendor.issue(DEVICE);
    expect(await Promise.all([justInTime.register(der), justInTime.register(Buffer.from(der))])).toEqual([true, true]);
    expect(await test.pki.certificates.listOf('gh-1')).toHaveLength(1);
  });
});

describe('a flood of unknown certificates', () => {
  it('costs one look each in five seconds, and no more than a few together', async () => {
    await using test = await open();
    let [looks, underWay, most] = [0, 0, 0];
    const answers: (() => void)[] = [];
    const justInTime = test.justInTime({
      trust: {
        certificateAuthorityOf: async () => {
          looks++;
          most = Math.max(most, ++underWay);
          await new Promise<void>((resolve) => answers.push(resolve));
          underWay--;
          return undefined;
        },
      },
    });
    const shown = Array.from({ length: 100 }, (_, n) => test.vendor.issue([['CN', String(n)]]));
    const first = Promise.all(shown.map(async (der) => await justInTime.register(der)));
    while (answers.length < 32) await new Promise((resolve) => setImmediate(resolve));
    expect([looks, most]).toEqual([32, 32]);
    for (const answer of answers.splice(0)) answer();
    expect(new Set(await first)).toEqual(new Set([false]));
    expect(await justInTime.register(shown[0] ?? Buffer.of())).toBe(false);
    expect(looks).toBe(32);
    test.pki.clock.advance(5_001);
    const again = justInTime.register(shown[0] ?? Buffer.of());
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const answer of answers.splice(0)) answer();
    expect([await again, looks]).toEqual([false, 33]);
  });

  it('leaves no trace and no certificate, whatever the bytes are', async () => {
    await using test = await open();
    const justInTime = test.justInTime();
    const stranger = newVendor(test.pki);
    for (const der of [Buffer.of(), Buffer.of(0x30, 0x82), Buffer.alloc(100_000, 0x30), stranger.issue(DEVICE)])
      expect(await justInTime.register(der)).toBe(false);
    const good = test.vendor.issue(DEVICE);
    for (let length = 0; length < good.length; length += 7)
      expect(await justInTime.register(good.subarray(0, length))).toBe(false);
    expect(await test.lastTrace()).toBe('');
    expect(await test.pki.database.selectFrom('certificate').select('id').execute()).toEqual([]);
  });

  it('of strangers does not reach the table of authorities: their names are told apart before', async () => {
    await using test = await open();
    let looks = 0;
    const trust = { certificateAuthorityOf: async () => void looks++ };
    const justInTime = test.justInTime({ trust });
    const stranger = newVendor(test.pki, 'Stranger');
    for (let n = 0; n < 20; n++) expect(await justInTime.register(stranger.issue([['CN', String(n)]]))).toBe(false);
    expect(looks).toBe(0);
    // Who is registered meanwhile is known two seconds later.
    await registerVendor(test.pki, stranger, TEMPLATE);
    expect(await test.justInTime().register(stranger.issue([['CN', '1']]))).toBe(true);
    test.pki.clock.advance(2_000);
    expect(await justInTime.register(stranger.issue([['CN', '2']]))).toBe(false);
    expect(looks).toBe(1);
  });

  it('does not make a device wait that came while the signer was busy', async () => {
    await using test = await open();
    let isBusy = true;
    const justInTime = test.justInTime({
      trust: {
        certificateAuthorityOf: async (der) => {
          if (isBusy) throw new SelsynError('signer.busy', 'busy', { retryable: true });
          return await test.pki.trust.certificateAuthorityOf(der);
        },
      },
    });
    const der = test.vendor.issue(DEVICE);
    expect(await justInTime.register(der)).toBe(false);
    isBusy = false;
    expect(await justInTime.register(der)).toBe(true);
  });
});
