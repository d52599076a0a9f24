import type { Actor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { DataKeys, type DataKeyFacts } from './data-keys.ts';
import { DeviceSecrets } from './device-secrets.ts';
import type { FileMasterKeys } from './drivers/file-master-keys.ts';
import type { MasterKeys } from './master-key.ts';
import { Resealing, type ResealingProgress } from './resealing.ts';
import type { Sealer } from './sealer.ts';
import { ServerSecrets } from './server-secrets.ts';

export interface SecretsStatus {
  readonly masterKey: { readonly id: string; readonly place: string };
  /** The oldest first; the last one seals. */
  readonly dataKeys: readonly DataKeyFacts[];
  readonly resealing?: ResealingProgress;
}

interface Dependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logLines: Pick<LogLines, 'info' | 'error'>;
}

/** Everything that is sealed, and the keys for it. */
export class Secrets implements AsyncDisposable {
  readonly devices: DeviceSecrets;
  readonly server: ServerSecrets;
  /** For secrets that are kept elsewhere than here. */
  readonly sealer: Sealer;
  readonly #dependencies: Dependencies;
  readonly #keys: DataKeys;
  readonly #resealing: Resealing;
  /** The file that the current master key is in; undefined: it is kept elsewhere. */
  readonly #file: FileMasterKeys | undefined;
  #masters: MasterKeys;
  /** One rotation after the other. */
  #rotating: Promise<unknown> = Promise.resolve();

  private constructor(dependencies: Dependencies, keys: DataKeys, masters: MasterKeys, file: FileMasterKeys | undefined) {
    this.#dependencies = dependencies;
    this.#keys = keys;
    this.#masters = masters;
    this.#file = file;
    this.devices = new DeviceSecrets({ ...dependencies, keys });
    this.server = new ServerSecrets({ ...dependencies, keys });
    this.sealer = keys;
    this.#resealing = new Resealing({ ...dependencies, keys });
  }

  /**
   * Opens what there is; afterwards all data keys are wrapped by the current master key, and what a rotation has left is gone on with.
   *
   * @throws SelsynError `secrets.wrong-master-key`, `secrets.unavailable`
   */
  static async open(dependencies: Dependencies, masters: MasterKeys, file: FileMasterKeys | undefined): Promise<Secrets> {
    const keys = await DataKeys.open(dependencies, masters);
    const secrets = new Secrets(dependencies, keys, masters, file);
    await secrets.server.sealAll();
    // What a rotation that was broken off has left in the file; nothing is wrapped by it any more.
    file?.keepOnly(fileIdOf(masters.current.id));
    secrets.#resealing.start();
    return secrets;
  }

  status(): SecretsStatus {
    const { progress } = this.#resealing;
    const { current, place } = this.#masters;
    return {
      masterKey: { id: current.id, place },
      dataKeys: this.#keys.list(),
      ...(progress !== undefined && { resealing: progress }),
    };
  }

  /** A new data key seals from now on; what is sealed is brought under it in the background. */
  async rotateDataKey(actor: Actor): Promise<void> {
    await this.#oneByOne(async () => {
      await this.#keys.rotate(this.#masters.current, actor);
      this.#resealing.start();
    });
  }

  /**
   * A new master key wraps the data keys: one that is made here, where it is kept in a file; elsewhere the same key in its newest version.
   *
   * In the file the new key stands beside the old one until the database has it: a crash at any point leaves what opens it.
   */
  async rotateMasterKey(actor: Actor): Promise<void> {
    await this.#oneByOne(async () => {
      const { database, clock } = this.#dependencies;
      const before = this.#masters.current;
      const master = this.#file === undefined ? before : this.#file.add();
      await this.#keys.wrapAnew(master);
      this.#masters = { ...this.#masters, current: master };
      this.#file?.keepOnly(fileIdOf(master.id));
      await new AuditTrail({ database, clock }).record([
        {
          actor,
          action: 'master-key.rotate',
          object: { kind: 'master-key', id: master.id },
          group: '/',
          before: { id: before.id },
          after: { id: master.id },
        },
      ]);
    });
  }

  /** Resolves when nothing is being resealed. */
  async settled(): Promise<void> {
    await this.#resealing.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rotating;
    await this.#resealing[Symbol.asyncDispose]();
  }

  async #oneByOne(work: () => Promise<void>): Promise<void> {
    const run = this.#rotating.then(work);
    this.#rotating = run.catch(() => undefined);
    await run;
  }
}

function fileIdOf(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}
