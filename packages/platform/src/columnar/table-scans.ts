import { DuckDBTableFunction, INTEGER, type DuckDBConnection, type DuckDBDataChunk, type DuckDBType } from '@duckdb/node-api';
import { setRows } from './raw-vectors.ts';

/** A table whose rows are made when they are read. */
export interface ScanTable {
  readonly columns: readonly { readonly name: string; readonly type: DuckDBType }[];
  /** Called for each time that a query reads it. @param wanted the names of the columns of a chunk, in their order */
  open(wanted: readonly string[]): TableReading;
}

/** One reading of a table, from its first row to its last. */
export interface TableReading {
  /** Fills a chunk; with no rows it is the end. */
  fill(chunk: DuckDBDataChunk): void;
}

interface Bound {
  readonly table: ScanTable;
  readonly names: readonly string[];
}

/**
 * Tables made of JavaScript, in SQL as a function of a number: memory is that of a chunk. A table is read in one thread,
 * and its rows come in their order. An error that a table throws becomes that of the query.
 */
export class TableScans {
  readonly #tables = new Map<number, ScanTable>();
  #last = 0;

  constructor(connection: DuckDBConnection) {
    connection.registerTableFunction(
      DuckDBTableFunction.create({
        name: 'table_scan',
        parameterTypes: [INTEGER],
        supportsProjectionPushdown: true,
        bindFunction: (bind) => {
          const table = this.#tables.get(Number(bind.getParameter(0)));
          if (table === undefined) {
            bind.setError('there is no such table');
            return;
          }
          for (const { name, type } of table.columns) bind.addResultColumn(name, type);
          bind.setBindData({ table, names: table.columns.map(({ name }) => name) } satisfies Bound);
        },
        initFunction: (init) => {
          init.setMaxThreads(1);
          const { table, names } = init.getBindData() as Bound;
          init.setInitData(table.open(init.getColumnIndexes().map((index) => names[index]!)));
        },
        mainFunction: (info, chunk) => {
          try {
            (info.getInitData() as TableReading).fill(chunk);
          } catch (error) {
            setRows(chunk, 0);
            info.setError(error instanceof Error ? error.message : String(error));
          }
        },
      }),
    );
  }

  /** @returns what stands for the table in SQL until `remove` */
  add(table: ScanTable): { readonly sql: string; readonly remove: () => void } {
    const number = ++this.#last;
    this.#tables.set(number, table);
    return { sql: `table_scan(${number})`, remove: () => void this.#tables.delete(number) };
  }
}
