import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { type InstalledIntermediate, installIntermediate } from './intermediate-install.ts';
import { requestIntermediate, type TokenPlace, tokenInUse } from './intermediate-request.ts';
import { readManifest } from './pki-manifest.ts';
import { openRoot, type RootAuthority, type RootOptions, signIntermediate } from './root-authority.ts';

export interface SetUpOptions extends RootOptions {
  /** data/pki */
  readonly dir: string;
  /** In the names of the authorities. */
  readonly name: string | undefined;
  /** Of the intermediate. */
  readonly days: number;
  /** Undefined: a file in the data folder; at a renewal, where it is now. */
  readonly token: TokenPlace | undefined;
  readonly tokenPin: string | undefined;
  readonly clock: Clock;
}

/**
 * Makes a root where there is none in its folder, and an intermediate below it that issues from then on.
 * @throws SelsynError `request.invalid` when this has been done, and what the steps throw
 */
export function initPki(options: SetUpOptions): InstalledIntermediate & { readonly root: RootAuthority } {
  if (readManifest(options.dir) !== undefined)
    throw new SelsynError(
      'request.invalid',
      `${options.dir} has an intermediate already: "selsyn pki show" shows it, "selsyn pki renew-intermediate" replaces it`,
    );
  return setUp(options, openRoot({ ...options, make: true }), options.token);
}

/**
 * Makes a new intermediate, with a new key, below a root that is there. The one before it stays trusted until its end.
 * @throws SelsynError `request.invalid`, and what the steps throw
 */
export function renewIntermediate(options: SetUpOptions): InstalledIntermediate & { readonly root: RootAuthority } {
  return setUp(options, openRoot({ ...options, make: false }), options.token ?? tokenInUse(options.dir));
}

function setUp(
  options: SetUpOptions,
  root: RootAuthority,
  token: TokenPlace | undefined,
): InstalledIntermediate & { readonly root: RootAuthority } {
  const { dir, clock, days, name, tokenPin } = options;
  const { csrPem, key } = requestIntermediate({ dir, token, tokenPin });
  const { bundlePem } = signIntermediate(root, { csrPem, name, days, clock });
  return { ...installIntermediate({ dir, bundlePem, key, tokenPin, clock }), root };
}
