import type { OwnMessage } from '../broker/own-message.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { newPkiServices, type PkiServices } from '../pki/pki-services.ts';
import type { Signing } from '../pki/signing.ts';
import type { AccessBroadcast } from './access-broadcast.ts';

/** What certificates need of a running server. */
export interface PkiSurroundings {
  readonly publish: (messages: readonly OwnMessage[]) => Promise<unknown>;
  /** TLS listeners take up the authorities as they are now. */
  readonly reloadTls: () => Promise<void>;
}

/** Certificates and authorities in this server. */
export interface PlatformPki extends PkiServices {
  /** Whom TLS handshakes are to trust. The registry of authorities is brought up to date on the way. */
  trustedAuthorities(): Promise<readonly string[]>;
  /** From now on there are gateways: what is due of certificates is done by time. */
  begin(surroundings: PkiSurroundings): void;
}

const DAY_MS = 86_400_000;

export function openPki(options: {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logLines: LogLines;
  readonly signing: Signing;
  readonly certificateDays: number;
  readonly serverAuthority: 'issuing' | 'local';
  readonly access: AccessBroadcast;
  readonly hasTemplate: (name: string) => Promise<boolean>;
  readonly ending: AsyncDisposableStack;
}): PlatformPki {
  const { access, certificateDays, ending } = options;
  let surroundings: PkiSurroundings | undefined;
  const services = newPkiServices({
    ...options,
    lifetimeMs: certificateDays * DAY_MS,
    onAccessChanged: async (principals) => {
      access.changed(principals);
      await access.settled();
    },
    publish: async (messages) => {
      if (surroundings === undefined) throw new SelsynError('server.not-ready', 'no gateway is there yet', { retryable: true });
      await surroundings.publish(messages);
    },
    onTrustChanged: async () => await surroundings?.reloadTls(),
  });
  ending.use(services.sweeper);
  return {
    ...services,
    async trustedAuthorities() {
      await services.authorities.recordOwn();
      return await services.trust.trustedAuthorities();
    },
    begin(given) {
      surroundings = given;
      services.sweeper.start();
    },
  };
}
