import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { AuthorityService } from './authority-service.ts';
import { AuthorityTrust } from './authority-trust.ts';
import { CertificateService } from './certificate-service.ts';
import { CertificateSweeper, type RenewalMessage } from './certificate-sweeper.ts';
import { RevocationLists } from './revocation-lists.ts';
import { RevocationStatus } from './revocation-status.ts';
import { issuingAuthority, localAuthority } from './server-certificate.ts';
import type { CertificateId, Signing } from './signing.ts';

export interface PkiServicesOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logLines: LogLines;
  readonly signing: Signing;
  /** See CertificateServiceDependencies. */
  readonly lifetimeMs: number;
  readonly onAccessChanged: (principals: readonly string[]) => Promise<void>;
  readonly publish: (messages: readonly RenewalMessage[]) => Promise<void>;
  readonly hasTemplate: (name: string) => Promise<boolean>;
  readonly onTrustChanged: () => Promise<void>;
  /** Which authority signs the server's own certificate. */
  readonly serverAuthority: 'issuing' | 'local';
}

/** Certificates and authorities: their registry, and what third parties are told of them. */
export interface PkiServices {
  readonly signing: Signing;
  readonly certificates: CertificateService;
  readonly authorities: AuthorityService;
  readonly trust: AuthorityTrust;
  readonly lists: RevocationLists;
  readonly status: RevocationStatus;
  /** To be started when messages can be published, and disposed. */
  readonly sweeper: CertificateSweeper;
  /** What devices are to trust so that they connect to this server, where it has no certificate from elsewhere. PEM. */
  serverRootPem(): Promise<string>;
}

/** Puts them together; nothing is read or written yet. */
export function newPkiServices(options: PkiServicesOptions): PkiServices {
  const lists = new RevocationLists(options);
  const status = new RevocationStatus(options);
  const onRevoked = (authorityIds: ReadonlySet<CertificateId>): void => {
    lists.changed(authorityIds);
    status.changed();
  };
  const certificates = new CertificateService({ ...options, onRevoked });
  return {
    signing: options.signing,
    certificates,
    authorities: new AuthorityService({ ...options, certificates }),
    trust: new AuthorityTrust(options),
    lists,
    status,
    sweeper: new CertificateSweeper(options),
    async serverRootPem() {
      const { signing, serverAuthority } = options;
      return (await (serverAuthority === 'local' ? localAuthority(signing) : issuingAuthority(signing))).rootPem;
    },
  };
}
