import type { Database, StateDatabase } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { JsonObject, ShadowKey } from '../shadow-document.ts';
import type { ShadowDevices } from '../shadow-hooks.ts';
import { ShadowStore } from '../shadow-store.ts';
import { effectiveDesired } from '../shadow-view.ts';
import { TypeSchemas } from '../schema/type-schemas.ts';
import { DefaultTree } from './default-tree.ts';
import { targetText } from './shadow-default.ts';
import { ShadowDefaultStore } from './shadow-default-store.ts';

/** What the groups and the type of a device say about one of its shadows, and whether it fits. */
export interface ShadowOrigin {
  readonly type: string | undefined;
  readonly group: string;
  /** The farthest first: each lies over those before it. */
  readonly layers: readonly { readonly target: string; readonly desired: JsonObject }[];
  /** What is inherited once the updates under way have come to the device. */
  readonly inherited: JsonObject | undefined;
  /** Why it is not given to the device. */
  readonly inheritedFault: string | undefined;
  /** What does not fit of the shadow as it is: the schema may be younger. */
  readonly desiredFault: string | undefined;
  /** What the device reports is believed, whether it fits or not. */
  readonly reportedFault: string | undefined;
}

/** Looks at all that a shadow comes from. */
export class ShadowOrigins {
  readonly #state: StateDatabase;
  readonly #registry: Database;
  readonly #devices: ShadowDevices;
  readonly #schemas: TypeSchemas;

  constructor(dependencies: { readonly state: StateDatabase; readonly registry: Database; readonly devices: ShadowDevices }) {
    this.#state = dependencies.state;
    this.#registry = dependencies.registry;
    this.#devices = dependencies.devices;
    this.#schemas = new TypeSchemas(dependencies.registry);
  }

  /** @throws SelsynError `device.not-found` */
  async of(key: ShadowKey): Promise<ShadowOrigin> {
    const { device, shadow } = key;
    const place = (await this.#devices.find([device])).get(device);
    if (place === undefined)
      throw new SelsynError('device.not-found', `there is no device ${device}`, { details: { id: device } });
    await this.#schemas.refresh();
    const defaults = await new ShadowDefaultStore({ state: this.#state, registry: this.#registry }).list();
    const tree = new DefaultTree(defaults.filter((each) => each.shadow === shadow));
    const schema = this.#schemas.of(place.type, shadow);
    const inherited = tree.inherited(place, shadow);
    const document = await new ShadowStore(this.#state).find(key);
    const desired = document === undefined ? undefined : effectiveDesired(document);
    const reported = document?.reported;
    return {
      type: place.type,
      group: place.group,
      layers: tree.layersOf(place, shadow).map((layer) => ({ target: targetText(layer.target), desired: layer.desired })),
      inherited,
      inheritedFault: inherited === undefined ? undefined : schema?.inheritedFault(inherited),
      desiredFault: desired === undefined ? undefined : schema?.desiredFault(desired),
      reportedFault: reported === undefined ? undefined : schema?.reportedFault(reported),
    };
  }
}
