import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

const PAGE = 5000;

/** Types, groups, attributes, connectivity and fleets, and the postings by which devices are found. */
export const registry: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema.alterTable('device').addColumn('number', 'bigint').execute();
    await schema.alterTable('device').addColumn('type', 'varchar(64)').execute();
    await schema
      .alterTable('device')
      .addColumn('group_id', 'bigint', (column) => column.notNull().defaultTo(1))
      .execute();
    await schema
      .alterTable('device')
      .addColumn('attributes', 'text', (column) => column.notNull().defaultTo('{}'))
      .execute();
    await schema
      .alterTable('device')
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`update device set updated_at_ms = created_at_ms`.execute(database);
    const devices = await numberDevices(database);
    await schema.createIndex('device_by_number').on('device').columns(['number']).unique().execute();
    await schema.createIndex('device_by_name').on('device').columns(['name', 'number']).execute();
    await schema.createIndex('device_by_creation').on('device').columns(['created_at_ms', 'number']).execute();

    await schema
      .createTable('device_group')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('path', 'varchar(1024)', (column) => column.notNull().unique())
      .addColumn('parent_id', 'bigint')
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema.createIndex('device_group_by_parent').on('device_group').columns(['parent_id', 'path']).execute();
    await sql`insert into device_group (path, parent_id, created_at_ms) values ('/', null, 0)`.execute(database);
    await schema
      .createTable('device_type')
      .addColumn('name', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('definition', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('device_connectivity')
      .addColumn('device_id', 'varchar(128)', (column) =>
        column.primaryKey().notNull().references('device.id').onDelete('cascade'),
      )
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('connected', 'integer', (column) => column.notNull())
      .addColumn('since_ms', 'bigint', (column) => column.notNull())
      .addColumn('last_seen_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createIndex('device_connectivity_by_last_seen')
      .on('device_connectivity')
      .columns(['connected', 'last_seen_ms', 'number'])
      .execute();

    await schema
      .createTable('device_term')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('field', 'varchar(256)', (column) => column.notNull())
      .addColumn('kind', 'varchar(1)', (column) => column.notNull())
      .addColumn('text', 'varchar(256)', (column) => column.notNull())
      .addColumn('number', 'double precision')
      .addColumn('natural_key', 'text')
      .addColumn('devices', 'bigint', (column) => column.notNull())
      .execute();
    await schema.createIndex('device_term_by_text').on('device_term').columns(['field', 'kind', 'text']).unique().execute();
    await schema.createIndex('device_term_by_number').on('device_term').columns(['field', 'kind', 'number']).execute();
    await schema.createIndex('device_term_by_natural_key').on('device_term').columns(['field', 'kind', 'natural_key']).execute();
    await schema
      .createTable('device_posting')
      // INTEGER makes it the key of the table itself in SQLite; it holds 64 bits.
      .addColumn('slot', 'integer', (column) => column.primaryKey().notNull())
      .addColumn('bits', 'blob', (column) => column.notNull())
      .execute();
    await schema
      .createTable('fleet')
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('name', 'varchar(200)', (column) => column.notNull())
      .addColumn('group_path', 'varchar(1024)', (column) => column.notNull())
      .addColumn('filter', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('registry_counter')
      .addColumn('name', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('value', 'bigint', (column) => column.notNull())
      .execute();
    // Where there are devices already, the postings are made at the start of the server: see DeviceIndex.
    await sql`insert into registry_counter (name, value) values ('device-number', ${devices}), ('index-version', ${devices === 0 ? 1 : 0})`.execute(
      database,
    );
  },
};

/** In the order of their registration. @returns how many there are. */
async function numberDevices(database: Kysely<unknown>): Promise<number> {
  const { rows } = await sql<{ id: string }>`select id from device order by created_at_ms, id`.execute(database);
  for (let start = 0; start < rows.length; start += PAGE) {
    for (const [offset, { id }] of rows.slice(start, start + PAGE).entries()) {
      await sql`update device set number = ${start + offset + 1} where id = ${id}`.execute(database);
    }
  }
  return rows.length;
}
