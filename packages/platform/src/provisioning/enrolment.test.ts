import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { AttemptTrace } from './attempt-trace.ts';
import type { EnrolmentRequest } from './enrolment-request.ts';
import { newCsr, openTestProvisioning, TEMPLATE, type TestProvisioning } from './provisioning.fixture.ts';
import { RefusedError, refusal } from './refusal.ts';

const request = (change: Partial<EnrolmentRequest> & { serial?: string } = {}): EnrolmentRequest => ({
  door: 'token',
  template: TEMPLATE,
  parameters: { SerialNumber: change.serial ?? '1' },
  credential: { kind: 'generate' },
  asker: { name: 'token t1', batch: 't1', remoteAddress: '192.0.2.9' },
  trace: new AttemptTrace(['token t1']),
  ...change,
});

async function open(): Promise<TestProvisioning> {
  const test = await openTestProvisioning();
  await test.putTemplate();
  await test.putManifest('serial\n1\n2\n3\n');
  return test;
}

it('of a CSR or a key that is made here gives a certificate that names the device and is active at once', async () => {
  await using test = await open();
  const csr = await test.provisioning.enrolment.enrol(request({ credential: { kind: 'csr', csr: newCsr() } }));
  const made = await test.provisioning.enrolment.enrol(request({ serial: '2' }));
  if (!('deviceId' in csr) || !('deviceId' in made)) throw new Error(JSON.stringify([csr, made]));
  expect([csr.certificate?.privateKeyPem, made.certificate?.privateKeyPem]).toEqual([
    undefined,
    expect.stringMatching(/^-----BEGIN/),
  ]);
  expect(new X509Certificate(csr.certificate?.certificatePem ?? '').subject).toBe('CN=gh-1');
  expect(await test.pki.certificates.listOf('gh-2')).toMatchObject([{ status: 'active', id: made.certificate?.certificateId }]);
  expect(await test.lastTrace()).toBe('token t1 · device gh-2 · key made here, P-256 · serial in manifest · enrolled');
});

it('signs nothing for a serial outside of the manifest', async () => {
  await using test = await open();
  let signed = 0;
  const { sign } = test.pki.certificates;
  test.pki.certificates.sign = async (...given) => {
    signed++;
    return await sign.apply(test.pki.certificates, given);
  };
  expect(await test.provisioning.enrolment.enrol(request({ serial: '9' }))).toMatchObject({
    outcome: 'refused',
    refusal: { reason: 'not-in-manifest' },
  });
  expect(signed).toBe(0);
});

it('writes what the door has to write with it, or nothing of both', async () => {
  await using test = await open();
  const { enrolment } = test.provisioning;
  const given: string[] = [];
  const fine = await enrolment.enrol(
    request({ credential: { kind: 'other' }, complete: async (_, device) => void given.push(device) }),
  );
  expect([fine.outcome, given]).toEqual(['enrolled', ['gh-1']]);
  const results = await Promise.all([
    enrolment.enrol(request({ serial: '2' })),
    enrolment.enrol(
      request({
        serial: '3',
        complete: async () => {
          throw new RefusedError(refusal('credential-invalid', 'token was used meanwhile'));
        },
      }),
    ),
  ]);
  expect(results.map(({ outcome }) => outcome)).toEqual(['enrolled', 'refused']);
  expect(await test.devices()).toEqual(['gh-1', 'gh-2']);
  expect(await test.pki.certificates.listOf('gh-2')).toHaveLength(1);
  expect(await test.pki.trail.list({ limit: 10, action: 'device.enrol' })).toHaveLength(2);
  expect(
    await test.pki.database.selectFrom('manifest_entry').select('serial').where('used_at_ms', 'is not', null).execute(),
  ).toEqual([{ serial: '1' }, { serial: '2' }]);
});

it('that fails for a reason of the server lets the others of its batch in, and tells the device nothing of it', async () => {
  await using test = await open();
  const { enrolment } = test.provisioning;
  const broken = async (): Promise<void> => {
    throw new Error('the disk is on fire');
  };
  const results = await Promise.all([enrolment.enrol(request()), enrolment.enrol(request({ serial: '2', consume: broken }))]);
  expect(results).toMatchObject([
    { outcome: 'enrolled' },
    { outcome: 'refused', refusal: { reason: 'failed', why: 'the server failed' } },
  ]);
  expect(await test.devices()).toEqual(['gh-1']);
});

it('counts what the server knows more than what the device says', async () => {
  await using test = await open();
  await test.provisioning.templates.put(
    {
      name: 'jit',
      enabled: true,
      parameters: { 'AWS::IoT::Certificate::CommonName': {}, Site: {} },
      serial: 'AWS::IoT::Certificate::CommonName',
      device: { id: '${parameters.AWS::IoT::Certificate::CommonName}' },
      manifestRequired: false,
    },
    { groups: ['/'] },
    { kind: 'system', id: 't', name: 't' },
  );
  const parameters = { 'AWS::IoT::Certificate::CommonName': 'liar', Site: 'kiel' };
  const ask = (knownParameters: Record<string, string> | undefined) =>
    test.provisioning.enrolment.enrol(
      request({ template: 'jit', door: 'just-in-time', parameters, knownParameters, credential: { kind: 'other' } }),
    );
  expect(await ask(undefined)).toMatchObject({ outcome: 'refused', refusal: { reason: 'parameters-invalid' } });
  expect(await ask({ 'AWS::IoT::Certificate::CommonName': 'honest' })).toMatchObject({
    outcome: 'enrolled',
    deviceId: parseDeviceId('honest'),
  });
});

it('by a template whose policy is gone is refused, and leaves nothing', async () => {
  await using test = await open();
  await test.pki.database
    .insertInto('policy')
    .values({ name: 'p', description: '', document: '{"statements":[]}', created_at_ms: 0, updated_at_ms: 0 })
    .execute();
  await test.putTemplate({ policies: ['p'] });
  await test.pki.database.deleteFrom('policy').where('name', '=', 'p').execute();
  expect(await test.provisioning.enrolment.enrol(request())).toMatchObject({ outcome: 'refused', refusal: { reason: 'failed' } });
  expect(await test.devices()).toEqual([]);
  expect(await test.lastTrace()).toContain('the policy p of the template is no more · refused');
});

it('is refused while the signer is busy, and may be tried again', async () => {
  await using test = await open();
  const { sign } = test.pki.certificates;
  test.pki.certificates.sign = async () => {
    const { SelsynError } = await import('../kernel/errors.ts');
    throw new SelsynError('signer.busy', 'too many');
  };
  expect(await test.provisioning.enrolment.enrol(request())).toMatchObject({ refusal: { reason: 'busy' } });
  test.pki.certificates.sign = sign.bind(test.pki.certificates);
  expect(await test.provisioning.enrolment.enrol(request())).toMatchObject({ outcome: 'enrolled' });
});
