import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openTestAuthority, type TestAuthority } from '../../pki/authority.fixture.ts';
import { machineServerNames } from '../../pki/server-names.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { TlsMaterial } from './tls-material.ts';

export interface TestPki {
  readonly authority: TestAuthority;
  readonly caFile: string;
  readonly caPem: string;
  readonly material: TlsMaterial;
}

/** A local authority in a folder, and TLS with it. */
export async function testPki(folder: string): Promise<TestPki> {
  const authority = await openTestAuthority({ dir: join(folder, 'pki'), clock: systemClock });
  const { certificatePem, privateKeyPem } = await authority.serverCertificate(
    machineServerNames({ hostname: 'test-host', interfaces: {} }),
  );
  return {
    authority,
    caFile: authority.certificateFile,
    caPem: authority.certificatePem,
    material: {
      certificate: certificatePem,
      privateKey: privateKeyPem,
      clientAuthorities: [authority.certificatePem],
      ticketKeys: randomBytes(48),
    },
  };
}
