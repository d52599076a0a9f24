import { join } from 'node:path';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { DataKeys } from '../secrets/data-keys.ts';
import { FileMasterKeys } from '../secrets/drivers/file-master-keys.ts';
import { Pkcs11MasterKey } from '../secrets/drivers/pkcs11-master-key.ts';
import { VaultMasterKey } from '../secrets/drivers/vault-master-key.ts';
import type { MasterKey, MasterKeys } from '../secrets/master-key.ts';
import { Token } from '../secrets/pkcs11/token.ts';
import { Secrets } from '../secrets/secrets.ts';
import type { Config } from './config-schema.ts';

interface Options {
  readonly settings: Config['secrets'];
  /** The data folder. */
  readonly root: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logLines: Pick<LogLines, 'info' | 'error'>;
}

/**
 * Finds the master key that the configuration names, or makes it where nothing is sealed under one of its kind yet, and opens what is
 * sealed. A master key of another kind that is still there opens what it has wrapped; the one that is named wraps it anew.
 *
 * @throws SelsynError `secrets.master-key-missing`, `secrets.wrong-master-key`, `secrets.unavailable`
 */
export async function openSecrets(options: Options): Promise<Secrets> {
  const { settings, root, database, random } = options;
  const path = settings.masterKeyFile === '' ? join(root, 'secrets', 'master.key') : settings.masterKeyFile;
  const file = new FileMasterKeys({ path, random });
  const wanted = await DataKeys.masterIds(database);
  const mayMake = (kind: string): boolean => !wanted.some((id) => id.startsWith(`${kind}:`));
  const inFile = (): readonly MasterKey[] => {
    if (file.exists()) return file.read();
    if (mayMake('file')) return [file.make()];
    throw new SelsynError(
      'secrets.master-key-missing',
      `the master key ${path} is not there, and the secrets of this database are sealed under it (${wanted.join(', ')}): put back your copy`,
      { details: { path } },
    );
  };
  const others = async (): Promise<readonly MasterKey[]> => {
    const found: MasterKey[] = [];
    if (settings.masterKey !== 'file' && file.exists()) found.push(...file.read());
    if (settings.masterKey !== 'pkcs11' && settings.pkcs11Module !== '' && !mayMake('pkcs11'))
      found.push(await inToken(options, false));
    if (settings.masterKey !== 'vault' && settings.vaultUrl !== '') found.push(inVault(settings));
    return found;
  };
  switch (settings.masterKey) {
    case 'file': {
      const [current, ...older] = inFile() as readonly [MasterKey, ...MasterKey[]];
      return await Secrets.open(options, { current, others: [...older, ...(await others())], place: path }, file);
    }
    case 'pkcs11': {
      const place = `the token "${settings.pkcs11Token}"`;
      return await openElsewhere(options, { current: await inToken(options, mayMake('pkcs11')), others: await others(), place });
    }
    case 'vault':
      return await openElsewhere(options, { current: inVault(settings), others: await others(), place: settings.vaultUrl });
  }
}

async function openElsewhere(options: Options, masters: MasterKeys): Promise<Secrets> {
  return await Secrets.open(options, masters, undefined);
}

async function inToken({ settings, random }: Options, make: boolean): Promise<MasterKey> {
  const { pkcs11Module: module, pkcs11Token: label, pkcs11Key, pkcs11Pin } = settings;
  if (module === '' || label === '' || pkcs11Pin === undefined) {
    throw new SelsynError(
      'config.invalid',
      'secrets.masterKey=pkcs11 needs secrets.pkcs11Module, secrets.pkcs11Token and secrets.pkcs11Pin',
    );
  }
  const token = new Token({ module, token: label, pin: () => pkcs11Pin });
  return await Pkcs11MasterKey.open({ token, label: pkcs11Key, random, make });
}

function inVault({ vaultUrl: url, vaultMount: mount, vaultKey: key, vaultToken: token }: Config['secrets']): MasterKey {
  if (url === '' || token === undefined) {
    throw new SelsynError('config.invalid', 'secrets.masterKey=vault needs secrets.vaultUrl and secrets.vaultToken');
  }
  return new VaultMasterKey({ url, mount, key, token });
}
