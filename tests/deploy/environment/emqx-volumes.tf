module "emqx_volumes" {
  source       = "../volumes-emqx"
  volume_count = 3
}
