// Router processes in the store: who is alive. A job under a router's name is safe while that router's heart beats;
// afterwards any other router may take it over.
import { Schema } from 'mongoose'

export interface RouterRecord {
  _id: string
  started_at: Date
  alive_until: Date
}

export const routerSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    started_at: { type: Date, required: true },
    alive_until: { type: Date, required: true },
  },
  { collection: 'routers', versionKey: false, autoIndex: false },
)
