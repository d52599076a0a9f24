/** For tests: an authority in a folder, and what it issues. */
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { validityOf } from './authority-certificate.ts';
import { LocalSigning } from './local-signing.ts';
import { type CertifiedKey, issuingAuthority, keepServerCertificate } from './server-certificate.ts';
import type { ServerName } from './server-names.ts';

export interface TestAuthority {
  readonly signing: LocalSigning;
  /** What clients are to trust. */
  readonly certificateFile: string;
  readonly certificatePem: string;
  serverCertificate(names: readonly ServerName[]): Promise<CertifiedKey>;
  /** With a new key. */
  issueDeviceCertificate(deviceId: string): Promise<CertifiedKey>;
}

/** Opens the local authority of a folder; makes it there the first time. */
export async function openTestAuthority({ dir, clock }: { readonly dir: string; readonly clock: Clock }): Promise<TestAuthority> {
  const signing = LocalSigning.open({ dir, clock });
  const { certificatePem } = await issuingAuthority(signing);
  return {
    signing,
    certificateFile: join(dir, 'ca.crt'),
    certificatePem,
    serverCertificate: async (names) => await keepServerCertificate({ dir, names, signing, clock }),
    async issueDeviceCertificate(deviceId) {
      const result = signing.issueOne({
        key: { generate: true },
        commonName: deviceId,
        use: 'client',
        ...validityOf(clock.now(), 3_653),
      });
      if ('refused' in result) throw new Error(result.refused.message);
      return { certificatePem: result.issued.certificatePem, privateKeyPem: result.issued.privateKeyPem ?? '' };
    },
  };
}
