// Router processes in the store: who is alive. A job under a router's name is safe while that router's heart beats;
// afterwards any other router may take it over.
import { Schema } from 'mongoose'

/** How long work of one model at one provider has taken, from the shortest to the longest, in even steps. */
export interface TimingSketch {
  provider: string
  upstream: string
  ms: number[]
}

export interface RouterRecord {
  _id: string
  started_at: Date
  alive_until: Date
  /** For a router that starts and has seen nothing yet. */
  timings?: TimingSketch[]
}

export const routerSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    started_at: { type: Date, required: true },
    alive_until: { type: Date, required: true },
    timings: { type: [Schema.Types.Mixed] },
  },
  { collection: 'routers', versionKey: false, autoIndex: false },
)
