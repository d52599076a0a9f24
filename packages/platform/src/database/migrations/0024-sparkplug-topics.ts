import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What every device had until now: only where nobody has changed it, it is given more. */
const DEVICE_DEFAULT = {
  statements: [
    { effect: 'allow', actions: ['connect'] },
    {
      effect: 'allow',
      actions: ['publish', 'retain', 'subscribe', 'receive'],
      topics: ['telemetry/${device.id}', 'devices/${device.id}/#', '$aws/things/${device.id}/#'],
    },
    {
      effect: 'allow',
      actions: ['publish'],
      topics: ['$aws/certificates/create/+', '$aws/certificates/create-from-csr/+', '$aws/provisioning-templates/+/provision/+'],
    },
    {
      effect: 'allow',
      actions: ['subscribe', 'receive'],
      topics: ['$aws/certificates/create/#', '$aws/certificates/create-from-csr/#', '$aws/provisioning-templates/+/provision/#'],
    },
    {
      effect: 'allow',
      actions: ['publish', 'subscribe', 'receive'],
      topics: ['$aws/commands/things/${device.id}/#', 'v1/devices/me/rpc/#'],
    },
  ],
};

/** An edge node of Sparkplug, whose id is `{group}:{node}`, speaks for itself and the devices behind it. */
const SPARKPLUG = [
  {
    effect: 'allow',
    actions: ['publish'],
    topics: [
      ...['NBIRTH', 'NDATA', 'NDEATH'].map((message) => `spBv1.0/\${sparkplug.group}/${message}/\${sparkplug.node}`),
      ...['DBIRTH', 'DDATA', 'DDEATH'].map((message) => `spBv1.0/\${sparkplug.group}/${message}/\${sparkplug.node}/+`),
    ],
  },
  {
    effect: 'allow',
    actions: ['subscribe', 'receive'],
    topics: [
      'spBv1.0/${sparkplug.group}/NCMD/${sparkplug.node}/#',
      'spBv1.0/${sparkplug.group}/DCMD/${sparkplug.node}/#',
      'spBv1.0/STATE/#',
    ],
  },
];

interface Tables {
  policy: { name: string; document: string };
  access_version: { id: number; version: number };
}

export const sparkplugTopics: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    // A migration knows the tables only as they were at its time.
    const tables = database as Kysely<Tables>;
    await tables
      .updateTable('policy')
      .set({ document: JSON.stringify({ statements: [...DEVICE_DEFAULT.statements, ...SPARKPLUG] }) })
      .where('name', '=', 'device-default')
      .where('document', '=', JSON.stringify(DEVICE_DEFAULT))
      .execute();
    await tables
      .updateTable('access_version')
      .set((builder) => ({ version: builder('version', '+', 1) }))
      .execute();
  },
};
